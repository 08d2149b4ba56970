"""Temporary files and folders beside their target.

A living process holds a lock on what it writes; a kill releases the lock, so that the next command
can remove what a killed process left, and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".part"
_PARTIAL = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}\.part", re.DOTALL)

_ABANDONED = 24 * 3600
"""Seconds after which a partial file counts as abandoned where files cannot be locked."""


def is_partial(path: Path) -> bool:
    """Whether ``path`` is named as a temporary file or folder of :func:`replacing`."""
    return _PARTIAL.fullmatch(path.name) is not None


def abandoned(folder: Path) -> list[Path]:
    """Returns the partial files and folders in ``folder`` that killed processes left."""
    paths = sorted(path for path in folder.glob(f".*{_SUFFIX}") if is_partial(path))
    return [path for path in paths if _is_abandoned(path)]


def remove_partial(folder: Path, name: str | None = None) -> None:
    """Removes the partial files and folders in ``folder`` that killed processes left, of all names
    or only of ``name``; those that a living process writes stay."""
    try:
        entries = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    for entry in entries:
        match = _PARTIAL.fullmatch(entry)
        if match is not None and name in (None, match["name"]):
            _remove_abandoned(folder / entry)


def remove_folder(path: Path) -> None:
    """Removes a folder; a kill leaves all of it or a partial folder, never part of it by its name.

    Does nothing if there is none.
    """
    if not path.exists():
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
    path.rename(temporary)
    shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Yields a new temporary file beside ``path``, which is the caller's to move or remove."""

    def make() -> Path:
        handle, name = tempfile.mkstemp(_SUFFIX, f".{path.name}.", path.parent)
        os.close(handle)
        return Path(name)

    with _claimed(make) as temporary:
        yield temporary


@contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """Yields a new temporary folder beside ``path``, which is the caller's to move or remove."""
    prefix = f".{path.name}."
    with _claimed(lambda: Path(tempfile.mkdtemp(_SUFFIX, prefix, path.parent))) as temporary:
        yield temporary


@contextmanager
def _claimed(make: Callable[[], Path]) -> Iterator[Path]:
    """Yields a path of ``make``, locked as long as this process lives."""
    while True:
        path = make()
        with _locked(path) as locked:
            if locked is False or not path.exists():  # another process took it for abandoned
                continue
            yield path
            return


@contextmanager
def _locked(path: Path) -> Iterator[bool | None]:
    """Yields whether this process locked ``path``; None where it cannot be locked."""
    if fcntl is None:
        yield None
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked: bool | None = True
        except BlockingIOError:
            locked = False
        except OSError:
            locked = None
        yield locked
    finally:
        os.close(descriptor)


def _is_abandoned(path: Path) -> bool:
    with contextlib.suppress(OSError), _locked(path) as locked:
        return _is_old(path) if locked is None else locked
    return False


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _ABANDONED


def _remove_abandoned(path: Path) -> None:
    with contextlib.suppress(OSError), _locked(path) as locked:
        if locked is None:
            locked = _is_old(path)
        if locked and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif locked:
            path.unlink(missing_ok=True)
