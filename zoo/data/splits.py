"""The split rule: which pictures are trained on, and which are never.

Splits that a source names are taken as they stand. What it lacks is taken out of what it has:

- without a validation split, every 20th training picture (index mod 20 = 19) becomes validation;
- without a test split, every 20th training picture (index mod 20 = 9) becomes test;
- a source of one split only, whatever its name, counts as training pictures for both.

Indices count from 0 in the source's order, before anything is taken. Every picture is in one
split exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from zoo.data.source import Part
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
"""Names of folders, and of a Hub data set's splits, that say which split they are."""

_WORDS = re.compile(
    r"(?:^|[-._ 0-9/])(?:(?P<train>train)[a-z]*|(?P<validation>valid[a-z]*|val|dev)|"
    r"(?P<test>test[a-z]*|eval|evaluation))(?=$|[-._ 0-9/])"
)


def split_in(path: str) -> str | None:
    """The split that a file's relative path names, as on the Hub: ``data/train-00000.parquet``.

    The file's own name comes before the names of its folders.
    """
    for part in reversed(path.lower().split("/")):
        if match := _WORDS.search(part):
            return match.lastgroup
    return None


def divide(parts: Mapping[str, Part], name: str) -> dict[str, Part]:
    """All three splits by the rule above; ``validation`` and ``test`` may be empty.

    Raises ZooError, naming the data ``name``, where nothing is left to train on.
    """
    import numpy as np

    given = {split: part for split, part in parts.items() if len(part)}
    if len(given) == 1:
        given = {"train": next(iter(given.values()))}
    if "train" not in given:
        has = " and ".join(given) or "no picture"
        raise ZooError(
            f"{name} has no picture to train on, only {has}: name a split train, or give all "
            "pictures in one"
        )
    train = given["train"]
    turn = np.arange(len(train)) % PERIOD
    keep = np.ones(len(train), dtype=bool)
    for split, remainder in REMAINDERS.items():
        if split not in given:
            chosen = turn == remainder
            given[split] = train.select(np.flatnonzero(chosen))
            keep &= ~chosen
    if not keep.all():
        given["train"] = train.select(np.flatnonzero(keep))
    return {split: given[split] for split in SPLITS}
