"""Points of a process where it writes, renames, syncs or removes: at each it can be killed, or the
operation can fail."""

from __future__ import annotations

import io
import os
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import zoo.system.files

Point = Callable[[str], None]
"""Called with the name of an operation before it, after it and, for writes, in its middle."""

OPERATIONS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir")
"""Functions of ``os``, which pathlib, shutil and filelock call too."""


class KillAt:
    """Kills this process at its ``number``-th point, with SIGKILL; 0 counts only."""

    def __init__(self, number: int = 0) -> None:
        self.number, self.count = number, 0

    def __call__(self, operation: str) -> None:
        self.count += 1
        if self.count == self.number:
            os.kill(os.getpid(), signal.SIGKILL)


class FailAt:
    """Lets ``times`` points from the ``number``-th on fail with ``errno``."""

    def __init__(self, number: int, errno: int, times: int = 1) -> None:
        self.number, self.errno, self.times, self.count = number, errno, times, 0

    def __call__(self, operation: str) -> None:
        self.count += 1
        if self.number <= self.count < self.number + self.times:
            raise OSError(self.errno, os.strerror(self.errno))


def install(point: Point, patch: pytest.MonkeyPatch | None = None) -> None:
    """Calls ``point`` at each operation of this process from now on, or as long as ``patch`` is."""
    replace = setattr if patch is None else partial(patch.setattr, raising=False)
    for name in OPERATIONS:
        replace(os, name, _around(getattr(os, name), name, point))
    for name in ("mkstemp", "mkdtemp"):
        replace(tempfile, name, _around(getattr(tempfile, name), name, point))
    write = Path.write_bytes

    def write_bytes(self: Path, data: bytes) -> int:
        point("write")
        write(self, data[: len(data) // 2])
        point("write")
        count = write(self, data)
        point("write")
        return count

    class Appending(io.FileIO):
        def write(self, data: Any) -> int:
            point("append")
            part = data[: max(1, len(data) // 2)] if len(data) > 20 else data
            count = super().write(part)
            point("append")
            return count

    def opened(path: Path, mode: str, **options: Any) -> Any:
        return Appending(path, mode) if mode == "ab" else open(path, mode, **options)

    replace(Path, "write_bytes", write_bytes)
    replace(zoo.system.files, "open", opened)


def _around(function: Callable[..., Any], name: str, point: Point) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        point(name)
        result = function(*arguments, **options)
        point(name)
        return result

    return called
