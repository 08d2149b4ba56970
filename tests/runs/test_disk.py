"""Full disks and atomic writes."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import zoo
from zoo.errors import ZooError
from zoo.system.files import replacing, replacing_folder, write_bytes, write_errors

SMALL_FILES = """
import resource, signal, sys
from zoo.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.exit(main({arguments!r}))
"""


def limited(limit: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a command whose writes fail beyond ``limit`` bytes of a file, as on a full disk."""
    code = SMALL_FILES.format(limit=limit, arguments=[str(argument) for argument in arguments])
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


def test_a_full_disk_during_training_keeps_the_previous_state(here, trained_copy) -> None:
    """The checkpoint is the largest file: the next one cannot be written."""
    weights = (trained_copy / "model.safetensors").read_bytes()
    names = sorted(str(path.relative_to(trained_copy)) for path in trained_copy.rglob("*"))
    limit = len(weights) + 4096
    assert (trained_copy / "checkpoints/step-00000024/state.safetensors").stat().st_size > limit
    done = limited(
        limit,
        *("train", "glow", "--resume", "--steps", 36, "--device", "cpu", "--out", trained_copy),
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"zoo: {trained_copy}/checkpoints/"), last
    assert "could not be written: File too large" in last
    assert "Traceback" not in done.stderr
    remaining = sorted(str(path.relative_to(trained_copy)) for path in trained_copy.rglob("*"))
    assert remaining == names, "no temporary file remains and no earlier file is lost"
    assert (trained_copy / "model.safetensors").read_bytes() == weights
    assert zoo.load(trained_copy, device="cpu").sample(2).shape == (2, 1, 8, 8)
    again = zoo.train("glow", resume=True, steps=30, out=trained_copy, device="cpu", quiet=True)
    assert (again.path / "checkpoints" / "step-00000030").is_dir()


def test_a_full_disk_during_sampling_leaves_no_file(here, trained) -> None:
    done = limited(600, "sample", trained.path, "-n", 400, "-o", "x.npy", "--device", "cpu")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "zoo: x.npy could not be written: File too large"
    assert not any(here.iterdir())


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    (tmp_path / "old").write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ZooError, match=r"old could not be written: the disk is full \(\d+ MiB"):
        write_bytes(tmp_path / "old", b"new")
    with pytest.raises(ZooError, match="the disk is full"), write_errors(tmp_path / "log"):
        full(tmp_path, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_an_interrupted_write_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")

    def interrupt(manager: AbstractContextManager[Path], name: str) -> None:
        with manager as beside:
            (beside / name).write_text("half")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        interrupt(replacing(tmp_path / "old"), "")
    with pytest.raises(ValueError, match="broken"):
        interrupt(replacing_folder(tmp_path / "new"), "file")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_files_respect_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", b"")
        with replacing_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750
