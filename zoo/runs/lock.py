"""The lock of a run folder: one process, or one process group, trains in it at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import ZooError
from zoo.runs.folder import CHECKPOINTS

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = f"{CHECKPOINTS}/.lock"

_PATIENCE = 0.2
"""Seconds to wait for a process that only asks whether the lock is held."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the lock, whose folder must exist. Raises ZooError if another process holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise ZooError(
            f"{folder} is being trained by another process: wait for it, or choose another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a live process trains in a folder, which is only read; several may ask at once."""
    path = folder / LOCK
    if fcntl is None:
        return path.exists() and _is_held(folder)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:  # a file system without such locks
        return _is_held(folder)
    finally:
        os.close(descriptor)


def _is_held(folder: Path) -> bool:
    try:
        with held(folder):
            return False
    except (ZooError, OSError):
        return True
