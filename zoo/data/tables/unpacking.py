"""Bounds of what a compressed file may unpack to, before memory is taken."""

from __future__ import annotations

from zoo.errors import ZooError

MAX_UNPACKED = 2**28
MAX_RATIO = 200
"""Data that unpack to more bytes than MAX_UNPACKED, and than MAX_RATIO times their own, are
refused."""

MAX_ROWS = 2**24
FEW_ROWS = 2**20
"""A file of over FEW_ROWS images has a byte for each at least."""


def check_unpacked(what: str, packed: int, unpacked: int) -> None:
    """Raises ZooError for what unpacks to more bytes than images do."""
    if unpacked > max(MAX_UNPACKED, MAX_RATIO * packed):
        raise ZooError(
            f"{what} unpacks from {packed:,} to {unpacked:,} bytes, which no images do: check the "
            "file, or save it without compression"
        )


def check_rows(what: str, size: int, rows: int) -> None:
    """Raises ZooError for a file of ``size`` bytes with more rows than images need."""
    if rows > MAX_ROWS or rows > max(FEW_ROWS, size):
        raise ZooError(
            f"{what} has {rows:,} rows in {size:,} bytes, and at most {MAX_ROWS:,}, of a byte or "
            "more each, are read: use a part of it"
        )
