"""The split rule.

Splits that a source names are kept. Missing ones are taken out of the training split:

- without a validation split, every 20th training image (index mod 20 = 19) becomes validation;
- without a test split, every 20th training image (index mod 20 = 9) becomes test;
- the only split of a source, whatever its name, is the training split in both rules.

Indices count from 0 in the source's order, before any image is taken. Every image is in exactly one
split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from zoo.data.source import StoredSplit
from zoo.errors import ZooError

SPLITS = ("train", "validation", "test")

PERIOD = 20
REMAINDERS = {"validation": 19, "test": 9}

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


def divide(splits: Mapping[str, StoredSplit], name: str) -> dict[str, StoredSplit]:
    """Returns all three splits by the split rule; ``validation`` and ``test`` may be empty.

    Raises ZooError, naming the dataset ``name``, if there are no training images.
    """
    import numpy as np

    divided = {split: images for split, images in splits.items() if len(images)}
    if len(divided) == 1:
        divided = {"train": next(iter(divided.values()))}
    if "train" not in divided:
        present = " and ".join(divided) or "no images"
        raise ZooError(
            f"{name} has no training images, only {present}: name a split train, or use a single "
            "split"
        )
    train = divided["train"]
    remainder = np.arange(len(train)) % PERIOD
    keep = np.ones(len(train), dtype=bool)
    for split, wanted in REMAINDERS.items():
        if split not in divided:
            taken = remainder == wanted
            divided[split] = train.select(np.flatnonzero(taken))
            keep &= ~taken
    if not keep.all():
        divided["train"] = train.select(np.flatnonzero(keep))
    return {split: divided[split] for split in SPLITS}
