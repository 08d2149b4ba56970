"""Division of a source into training, validation and test images.

Splits that a source names are kept. Missing ones are taken out of its training images, by hash:
per class, the images with the lowest hashes of pixels and seed, up to a quota of 1 in 20. So a
split does not depend on order, container and names of the images, and hardly changes when images
are added. Runs of format version 2 and older took every 20th image, by position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from zoo.data.splits import SPLITS
from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.data.source import StoredSplit

MISSING_SPLITS = ("test", "validation")
"""The splits that are taken out of the training images where they are missing, in this order."""


def named_splits(splits: Mapping[str, StoredSplit], name: str) -> dict[str, StoredSplit]:
    """Returns the splits that have images; an only one, whatever its name, is the training split.

    Raises ZooError, naming the dataset ``name``, if there are no training images.
    """
    stored = {split: images for split, images in splits.items() if len(images)}
    if len(stored) == 1:
        stored = {"train": next(iter(stored.values()))}
    if "train" not in stored:
        present = " and ".join(stored) or "no images"
        raise ZooError(
            f"{name} has no training images, only {present}: name a split train, or use a single "
            "split"
        )
    return stored


def by_position(stored: Mapping[str, StoredSplit]) -> dict[str, StoredSplit]:
    """Returns all three splits by the rule of format version 2 and older.

    A missing validation or test split has every 20th training image, index mod 20 = 19 or 9, and
    may be empty.
    """
    import numpy as np

    remainder = np.arange(len(stored["train"])) % 20
    chosen = {
        split: np.flatnonzero(remainder == wanted)
        for split, wanted in {"validation": 19, "test": 9}.items()
        if split not in stored
    }
    return select(stored, chosen)


def select(
    stored: Mapping[str, StoredSplit], chosen: Mapping[str, NDArray[np.int64]]
) -> dict[str, StoredSplit]:
    """Returns all splits, with training images at the indices ``chosen`` moved to other splits.

    Every split keeps the order of the source.
    """
    train = stored["train"]
    divided = {**stored, **{split: train.select(indices) for split, indices in chosen.items()}}
    divided["train"] = train.select(rest(len(train), chosen))
    return {split: divided[split] for split in SPLITS}


def rest(count: int, chosen: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Returns the indices below ``count`` that are not ``chosen``, ascending."""
    import numpy as np

    remaining = np.ones(count, dtype=bool)
    for indices in chosen.values():
        remaining[indices] = False
    return np.flatnonzero(remaining)


def by_hash(
    hashes: Sequence[bytes],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    missing: Sequence[str],
    seed: int,
) -> dict[str, NDArray[np.int64]]:
    """Returns the indices of the training images that go to each of the ``missing`` splits.

    Of each class, the quota of its distinct images (:func:`quota`), those with the lowest seeded
    hashes. Equal images go together. Where possible, images stay in training that occur under
    several labels, and those with more copies than the quota of the class's images. An image under
    several labels belongs to the first of its classes in alphabetical order.
    """
    import numpy as np

    from zoo.data.hashing import seeded_ranks

    distinct: dict[bytes, int] = {}
    image = np.array([distinct.setdefault(value, len(distinct)) for value in hashes])
    copies = np.bincount(image)
    order = {name: place for place, name in enumerate(sorted(class_names))}
    place = np.array([order[name] for name in class_names] + [len(order)])[labels]
    first, last = np.full(len(distinct), len(order)), np.full(len(distinct), -1)
    np.minimum.at(first, image, place)
    np.maximum.at(last, image, np.where(labels < 0, -1, place))
    ambiguous = last > first
    ranks = {split: seeded_ranks(distinct, seed, split) for split in missing}

    chosen: dict[str, list[NDArray[np.int64]]] = {split: [] for split in missing}
    for number in np.unique(first):
        remaining = np.flatnonzero(first == number)
        count, many = quota(len(remaining)), quota(int(copies[remaining].sum()))
        for split in missing:
            keep_out = ambiguous[remaining] | (copies[remaining] > max(many, 1))
            by_rank = remaining[np.lexsort((ranks[split][remaining], keep_out))]
            chosen[split].append(by_rank[:count])
            remaining = by_rank[count:]
    return {
        split: np.flatnonzero(np.isin(image, np.concatenate(parts)))
        for split, parts in chosen.items()
    }


def quota(count: int) -> int:
    """Returns the size of a validation or test split of ``count`` images of one class.

    It is 1 in 20, rounded, at least 1 from three images on.
    """
    return max((count + 10) // 20, int(count >= 3))


def duplicate_notes(
    hashes: Mapping[str, Sequence[bytes]],
    labels: Mapping[str, NDArray[np.int64]],
    divided: bool,
) -> list[str]:
    """Returns sentences on equal images in the splits of a source.

    They are about images in several splits and under several labels, and, if the training images
    are ``divided``, about copies of at least 1 in 100 of them.
    """
    notes = []
    for one, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
        if one in hashes and other in hashes:
            images = set(hashes[other])
            if common := sum(value in images for value in hashes[one]):
                verb = "is" if common == 1 else "are"
                notes.append(
                    f"{common:,} of {len(hashes[one]):,} {one} images {verb} also in the {other} "
                    "split of the source."
                )
    if several := _under_several_labels(hashes, labels):
        subject = "1 image is" if several == 1 else f"{several:,} images are"
        notes.append(f"{subject} stored under several labels: check the labels.")
    train = hashes.get("train", ())
    copies = len(train) - len(set(train))
    if divided and copies and copies * 100 >= len(train):
        kind = "is a copy of another" if copies == 1 else "are copies of others"
        notes.append(
            f"{copies:,} of {len(train):,} training images {kind}: equal images are in the same "
            "split."
        )
    return notes


def _under_several_labels(
    hashes: Mapping[str, Sequence[bytes]], labels: Mapping[str, NDArray[np.int64]]
) -> int:
    """Returns the number of distinct images that have more than one label."""
    first: dict[bytes, int] = {}
    several = set()
    for split, values in hashes.items():
        for value, label in zip(values, labels[split].tolist(), strict=True):
            if label >= 0 and first.setdefault(value, label) != label:
                several.add(value)
    return len(several)
