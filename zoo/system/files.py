"""Atomic writes: a kill at any moment leaves the old file or the new one, never part of one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.system.partial import partial_file, partial_folder, remove_folder, remove_partial
from zoo.system.retry import retried

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary file in the same folder, which replaces ``path`` on exit, synced.

    After an error it is removed and ``path`` is unchanged. Raises ZooError if the disk is full or
    the folder cannot be written.
    """
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_partial(path.parent, path.name)
        with partial_file(path) as temporary:
            try:
                yield temporary
                temporary.chmod(0o666 & ~_umask())
                _sync(temporary)
                temporary.replace(path)
                _sync(path.parent)
            finally:
                temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder, which becomes ``path`` on exit.

    ``path`` must not exist, or be an empty folder.
    """
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_partial(path.parent, path.name)
        with partial_folder(path) as temporary:
            try:
                yield temporary
                temporary.chmod(0o777 & ~_umask())
                for file in temporary.iterdir():
                    _sync(file)
                temporary.replace(path)
                _sync(path.parent)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)


MAX_JSON = 2**24
"""Maximum bytes of a JSON file, which may come from a stranger."""


def read_bounded(path: Path, maximum: int = MAX_JSON) -> str:
    """Returns the text of a file, UTF-8. Raises UnicodeDecodeError, and as :func:`check_size`."""
    check_size(path, maximum)
    return path.read_text("utf-8")


def check_size(path: Path, maximum: int) -> None:
    """Raises ZooError for a file of more than ``maximum`` bytes, and as
    :func:`require_regular`."""
    require_regular(path)
    if (size := path.stat().st_size) > maximum:
        raise ZooError(f"{path} has {size:,} bytes: at most {maximum:,} are read")


def require_regular(path: Path) -> None:
    """Raises ZooError for a pipe, a socket or a device, which might never end; OSError without a
    file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ZooError(f"{path} is not a regular file: remove it, or put a file in its place")


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces a file. Raises as :func:`replacing`."""

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(data)

    retried(write)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Replaces a folder by one of ``files``. Raises as :func:`replacing`."""

    def write() -> None:
        with write_errors(path):
            remove_folder(path)
        with replacing_folder(path) as temporary:
            for name, data in files.items():
                (temporary / name).write_bytes(data)

    retried(write)


def append_text(path: Path, text: str) -> None:
    """Appends to a file; after an error it is as it was. Raises as :func:`replacing`."""
    size = path.stat().st_size if path.exists() else 0

    def write() -> None:
        with write_errors(path), open(path, "ab", buffering=0) as file:
            file.truncate(size)  # what an attempt before left
            data = memoryview(text.encode())
            try:
                while data:
                    data = data[file.write(data) :]
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise

    retried(write)


def sync(path: Path) -> None:
    """Brings a file or the entries of a folder to the disk, unless it does not exist."""
    if path.exists():
        with write_errors(path):
            _sync(path)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, as_json(value))


def as_json(value: Any) -> bytes:
    """Returns a value as the contents of a JSON file."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turns an OSError into a ZooError with ``path``, the reason and the fix."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            free = f"{shutil.disk_usage(_existing_parent(path)).free / 2**20:.0f} MiB"
            raise ZooError(
                f"{path} could not be written: the disk is full ({free} left); "
                "free some space and try again"
            ) from error
        raise ZooError(f"{path} could not be written: {error.strerror or error}") from error


def _existing_parent(path: Path) -> Path:
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


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits. Raises as :func:`require_regular`."""
    require_regular(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
