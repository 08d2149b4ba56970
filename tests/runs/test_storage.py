"""Storage that fails for a moment, is full, or is read-only."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from faults import FailAt, install
from kills import compare_runs

import zoo
from zoo import run
from zoo.api import host
from zoo.config.resolve import Setting, setting_of
from zoo.errors import ZooError
from zoo.system import retry
from zoo.system.files import append_text, write_bytes, write_folder
from zoo.system.progress import Progress
from zoo.system.retry import patient
from zoo.training.request import Request
from zoo.verification import verify

SMALL = {"depth": 1, "width": 8, "training.checkpoint_every": 2, "training.log_every": 1}
OPTIONS = {"steps": 4, "config": SMALL, "device": "cpu"}
TRANSIENT = (errno.EIO, errno.ESTALE, errno.ENOSPC)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "INTERVAL", 0.01)


WRITES = {
    "file": lambda folder: write_bytes(folder / "file", b"new contents"),
    "folder": lambda folder: write_folder(folder / "folder", {"a": b"new", "b": b"contents"}),
    "log": lambda folder: append_text(folder / "log", '{"a line": "of a log"}\n'),
}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_is_repeated_wherever_it_fails_once(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepared(name: str) -> Path:
        folder = tmp_path / name
        (folder / "folder").mkdir(parents=True)
        for file in ("file", "log", "folder/a", "folder/old"):
            (folder / file).write_text("old\n")
        return folder

    def attempt(folder: Path, point: FailAt) -> list[str]:
        said: list[str] = []
        with monkeypatch.context() as patch, patient(5, said.append):
            install(point, patch)
            write(folder)
        return said

    def files(folder: Path) -> dict[str, str]:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_text() for path in paths}

    counting = FailAt(10**9, 0)
    want = prepared("whole")
    attempt(want, counting)
    failed = 0
    for at in range(1, counting.count + 1):
        for number in TRANSIENT:
            folder = prepared(f"{at}-{number}")
            said = attempt(folder, FailAt(at, number))
            assert files(folder) == files(want)
            failed += len(said) == 2 and said[0].endswith("(trying again for 5 s)")
    assert failed > counting.count


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("number", [errno.EACCES, errno.EFBIG, errno.EIO])
def test_a_write_that_keeps_failing_is_an_error(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once for an error that does not pass, else after the time that is allowed."""
    (tmp_path / "log").write_text("old\n")
    install(FailAt(1, number, times=10**9), monkeypatch)
    said: list[str] = []
    with patient(0.05, said.append):
        with pytest.raises(ZooError, match="file could not be written: "):
            write_bytes(tmp_path / "file", b"data")
        assert len(said) == (number == errno.EIO)
        with pytest.raises(ZooError, match="log could not be written: "):
            append_text(tmp_path / "log", "line\n")
    monkeypatch.undo()
    assert (tmp_path / "log").read_text() == "old\n"
    assert not (tmp_path / "file").exists()


@pytest.mark.usefixtures("hurried")
def test_training_goes_on_after_writes_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """Every 40th operation fails, with the three errors in turn."""
    zoo.train("glow", out=tmp_path / "whole", quiet=True, **OPTIONS)
    count = 0

    def fail(operation: str) -> None:
        nonlocal count
        count += 1
        if count % 40 == 0:
            number = TRANSIENT[count // 40 % 3]
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("zoo.training.launch.patient", _from_here(patch, fail))
        zoo.train("glow", out=tmp_path / "run", **OPTIONS)
    assert count > 200
    assert capsys.readouterr().err.count("(trying again for 60 s)") >= 3
    assert compare_runs(tmp_path / "run", tmp_path / "whole") == []


def _from_here(patch: pytest.MonkeyPatch, fail: Callable[[str], None]):
    """``patient``, with operations that fail inside."""

    def patient(*arguments):
        install(fail, patch)
        return retry.patient(*arguments)

    return patient


def test_a_clock_that_jumps_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.train("glow", out=tmp_path / "whole", quiet=True, **OPTIONS)
    now, day = time.time(), 24 * 3600
    jumps = itertools.cycle([0, 400 * day, -400 * day])
    monkeypatch.setattr(time, "time", lambda: now + next(jumps))
    zoo.train("glow", out=tmp_path / "run", quiet=True, **OPTIONS)
    assert compare_runs(tmp_path / "run", tmp_path / "whole") == []
    seconds = [line["seconds"] for line in zoo.load(tmp_path / "run").folder.read_metrics()]
    assert 0 < seconds[0] < seconds[-1] < 600


# Real file systems

Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """``mount(kind)``: a folder on a new file system of 8 MiB, or read-only over ``source``."""
    mounted = []

    def call(*command: object) -> None:
        try:
            subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", "") or str(error)
            pytest.skip(f"{command[0]} is not possible here: {reason.strip()[:100]}")

    def get(kind: str, source: Path | None = None) -> Path:
        folder = tmp_path / f"mount-{len(mounted)}"
        folder.mkdir()
        if kind == "tmpfs":
            call("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder)
        elif kind == "ext4":
            image = tmp_path / "image"
            image.write_bytes(b"")
            os.truncate(image, 8 * 2**20)
            call("mkfs.ext4", "-q", "-m", "0", image)
            call("mount", "-o", "loop", image, folder)
        else:
            call("mount", "--bind", source, folder)
            mounted.append(folder)
            call("mount", "-o", "remount,bind,ro", folder)
            return folder
        mounted.append(folder)
        return folder

    yield get
    for folder in reversed(mounted):
        subprocess.run(["umount", "-l", str(folder)], check=False)


class Reporter(Progress):
    """Fills the disk of ``folder`` once step 5 is logged, and frees it when told of a failed write,
    if it ``helps``."""

    def __init__(self, folder: Path, helps: bool) -> None:
        self.folder, self.helps = folder, helps
        self.ballast: Path | None = None
        self.lines: list[str] = []

    def step(self, part: float, forms: Sequence[str], milestone: bool = False) -> None:
        if self.ballast is None and forms[0].startswith("step 5 "):
            self.ballast = fill(self.folder)

    def say(self, text: str) -> None:
        self.lines.append(text)
        if self.helps and self.ballast is not None and "trying again" in text:
            self.ballast.unlink()


def train(
    out: Path, reporter: Progress | None = None, retry: float = 60, resume: bool = False
) -> None:
    settings = [setting_of(host().spec("glow"), key, value, key) for key, value in SMALL.items()]
    settings.append(Setting("training", "steps", 9, "steps"))
    request = Request("glow", settings=settings, out=out, device="cpu", resume=resume, retry=retry)
    run.train(host(), request, reporter or Progress())


def fill(folder: Path) -> Path:
    """Fills a file system with one file."""
    ballast = folder / "ballast"
    with open(ballast, "ab", buffering=0) as file:
        for size in (2**16, 2**10, 1):
            while True:
                try:
                    if file.write(b"\0" * size) < size:
                        break
                except OSError:
                    break
    return ballast


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_training_waits_while_the_disk_is_full(kind: str, mount: Mount, tmp_path: Path) -> None:
    folder = mount(kind)
    train(tmp_path / "whole")
    reporter = Reporter(folder, helps=True)
    train(folder / "run", reporter)
    assert reporter.ballast is not None
    waiting = next(number for number, line in enumerate(reporter.lines) if "is full" in line)
    assert reporter.lines[waiting].endswith("(trying again for 60 s)")
    assert reporter.lines[waiting + 1] == "written after 0 s"
    assert compare_runs(folder / "run", tmp_path / "whole") == []


@pytest.mark.usefixtures("hurried")
def test_a_disk_that_stays_full_ends_the_run_and_loses_nothing(
    mount: Mount, tmp_path: Path
) -> None:
    folder = mount("tmpfs")
    reporter = Reporter(folder, helps=False)
    with pytest.raises(ZooError, match="could not be written: the disk is full"):
        train(folder / "run", reporter, retry=0.1)
    assert reporter.ballast is not None
    assert zoo.load(folder / "run", "cpu").sample(1).shape[0] == 1
    reporter.ballast.unlink()
    assert verify(folder / "run", host()).problems == []
    train(folder / "run", resume=True)
    train(tmp_path / "whole")
    assert compare_runs(folder / "run", tmp_path / "whole") == []


def test_a_read_only_folder(mount: Mount, trained: zoo.Run, commands) -> None:
    folder = mount("read-only", trained.path)
    message = commands.fails(1, "train", "glow", "--out", folder, "--resume", "--steps", 30)
    assert message.endswith("Read-only file system")
    assert zoo.load(folder, "cpu").sample(1).shape[0] == 1
    result = commands("verify", folder)
    assert result.status == 0, result.out
