"""Commands in this process on hostile files, and counts of how they end."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from folders import contents

STATUSES = frozenset({0, 1, 2, 130, 143})
SECONDS = 60
MEMORY = 2**30
WRITES = frozenset(
    {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
)


class Commands:
    """Runs commands in the folder ``here``, each with files of its own.

    Asserts that a command ends with one of STATUSES, and that a failure is one sentence; that it
    writes nothing outside of ``here`` and of the folders ``caches``; and that one that only reads
    changes no file that was there.
    """

    def __init__(self, here: Path, caches: Sequence[Path]) -> None:
        self.here, self.counts = here, Counter[int]()
        self._outside = _Outside([here, *caches])

    def __call__(
        self, files: Mapping[str, bytes], arguments: Sequence[str], reads: bool = True
    ) -> None:
        shutil.rmtree(self.here, ignore_errors=True)
        for name, data in files.items():
            path = self.here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.here.mkdir(exist_ok=True)
        os.chdir(self.here)
        status, out, err = self._run(arguments)
        self.counts[status] += 1
        assert status in STATUSES, err
        debugging = "--debug" in arguments
        for text in ("internal error", "failed in zoo_", *["Traceback"] * (not debugging)):
            assert text not in err, err
            assert text not in out, out
        if status and not (arguments[0] == "verify" and out):
            assert is_sentence(err), err
        assert not self._outside.written, self._outside.written
        if reads:
            after = contents(self.here)
            assert {name: data for name, data in after.items() if name in files} == files

    def _run(self, arguments: Sequence[str]) -> tuple[int, str, str]:
        from zoo.cli import main

        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
        with limited(), self._outside, redirect_stdout(out), redirect_stderr(err):
            status = main(arguments)
        out.flush()
        err.flush()
        return status, *(f.buffer.getvalue().decode() for f in (out, err))


def is_sentence(err: str) -> bool:
    """Whether the last line of standard error, and no other, is an error of genzoo's."""
    lines = err.removesuffix("\n").split("\n")
    last = lines[-1]
    return (
        [line.startswith("zoo: ") for line in lines] == [False] * (len(lines) - 1) + [True]
        and last.isprintable()
        and 10 < len(last) < 1500
    )


@contextmanager
def limited() -> Iterator[None]:
    """Gives the code inside SECONDS, and MEMORY beyond what this process has."""

    def out_of_time(*_: object) -> None:
        raise TimeoutError(f"it took longer than {SECONDS} s")

    limits = resource.getrlimit(resource.RLIMIT_DATA)
    status = Path("/proc/self/status").read_text()
    (data,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData"))
    before = signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_DATA, (data * 1024 + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class _Outside:
    """Records what is written outside of ``folders`` while it is entered."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.written: list[str] = []
        self._folders = [os.path.realpath(folder) for folder in folders] + ["/dev", "/proc"]
        self._active = False
        sys.addaudithook(self._audit)

    def __enter__(self) -> None:
        self.written.clear()
        self._active = True

    def __exit__(self, *_: object) -> None:
        self._active = False

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._active:
            return
        if event == "open":
            flags = arguments[2]
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif event not in WRITES:
            return
        for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
            if isinstance(path, str | bytes):
                real = os.path.realpath(os.fsdecode(path))
                inside = any(real == f or real.startswith(f"{f}/") for f in self._folders)
                if not inside and "__pycache__" not in real:
                    self.written.append(f"{event} {real}")
