"""The lock of a run folder: one process, or one process group, trains in it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import ZooError
from zoo.runs.folder import CHECKPOINTS

LOCK = f"{CHECKPOINTS}/.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the lock, whose folder must exist. Raises ZooError if another process holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ZooError(
            f"{folder} is being trained by another process: wait for it, or choose another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether another process trains in a folder."""
    if not (folder / LOCK).exists():
        return False
    try:
        with held(folder):
            return False
    except (ZooError, OSError):
        return True
