"""Writing files so that a kill at any moment leaves the old one or the new one, never half."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import ZooError

_FULL = {errno.ENOSPC, errno.EDQUOT}


_PART = ".part"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write a file to; on leaving it is synced and takes its place.

    After an error it is removed and ``path`` is as it was. A disk that is full, or a folder that
    cannot be written, raises ZooError.
    """
    with mended(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(_PART, f".{path.name}.", path.parent)
        os.close(handle)
        beside = Path(name)
        try:
            yield beside
            beside.chmod(0o666 & ~_umask())
            _sync(beside)
            beside.replace(path)
            _sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """The same for a folder that does not stand yet, or is empty: it appears whole or not at
    all."""
    with mended(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(_PART, f".{path.name}.", path.parent))
        try:
            yield beside
            beside.chmod(0o777 & ~_umask())
            for file in beside.iterdir():
                _sync(file)
            beside.replace(path)
            _sync(path.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what a kill left half-written anywhere below ``folder``."""
    for part in folder.rglob(f".*{_PART}"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    with replacing(path) as beside:
        beside.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def mended(path: Path) -> Iterator[None]:
    """An OSError inside becomes a ZooError: ``path`` could not be written, why, what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            free = f"{shutil.disk_usage(_standing(path)).free / 2**20:.0f} MiB"
            raise ZooError(
                f"{path} could not be written: the disk is full ({free} left); "
                "free some space and start again"
            ) from error
        raise ZooError(f"{path} could not be written: {error.strerror or error}") from error


def _standing(path: Path) -> Path:
    return next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
