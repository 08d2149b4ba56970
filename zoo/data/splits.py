"""Names of splits in files, folders, keys and on the Hub."""

from __future__ import annotations

import re

SPLITS = ("train", "validation", "test")

ALIASES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
"""Splits by the names of folders, npz keys and splits on the Hub."""

_WORDS = re.compile(
    r"(?:^|[-._ 0-9/])(?:(?P<train>train)[a-z]*|(?P<validation>valid[a-z]*|val|dev)|"
    r"(?P<test>test[a-z]*|eval|evaluation))(?=$|[-._ 0-9/])"
)


def split_in(path: str) -> str | None:
    """Returns the split in a file's relative path, as on the Hub: ``data/train-00000.parquet``.

    The file's own name has precedence over the names of its folders.
    """
    for part in reversed(path.lower().split("/")):
        if match := _WORDS.search(part):
            return match.lastgroup
    return None
