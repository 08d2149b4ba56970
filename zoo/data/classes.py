"""Classes of images: labels of any kind as names, and the classes of a training split."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Dataset
from zoo.sampling.names import in_natural_order, listed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.data.source import StoredSplit


def unlabeled(count: int) -> NDArray[np.int64]:
    """Returns -1, which means no label, ``count`` times: int64 [count]."""
    import numpy as np

    return np.full(count, -1, dtype=np.int64)


def class_name(label: Any) -> str | None:
    """Returns the name of a label; None for None, NaN, -1 and empty text, which mean no label.

    Integers, also as floats, are their own names; text is brought to Unicode's form NFC. Raises
    TypeError for a label that is neither a word nor an integer.
    """
    if hasattr(label, "item"):
        label = label.item()
    if isinstance(label, bytes):
        label = label.decode("utf-8", "backslashreplace")
    if isinstance(label, str):
        text = label.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return unicodedata.normalize("NFC", text) or None
    if isinstance(label, float) and (math.isnan(label) or label.is_integer()):
        label = None if math.isnan(label) else int(label)
    if label is None or (type(label) is int and label == -1):
        return None
    if isinstance(label, int):
        return str(label)
    raise TypeError(f"labels of type {type(label).__name__}")


def class_names(labels: Sequence[Any]) -> list[str | None]:
    """Returns the :func:`class_name` of each label; equal words share one string, as there may be
    millions of long ones."""
    words: dict[str, str | None] = {}

    def name(label: Any) -> str | None:
        if type(label) is not str:
            return class_name(label)
        if label not in words:
            words[label] = class_name(label)
        return words[label]

    return [name(label) for label in labels]


def numbered(
    labels: Mapping[str, Sequence[object]],
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Returns each split's labels as int64, and the names of the classes in natural order.

    Classes are the distinct :func:`class_name` of all splits; an image without one gets -1. Raises
    TypeError for labels that are neither words nor integers.
    """
    import numpy as np

    columns = {split: class_names(column) for split, column in labels.items()}
    distinct = {name for column in columns.values() for name in column if name is not None}
    names = in_natural_order(distinct)
    number: dict[str | None, int] = {name: index for index, name in enumerate(names)}
    number[None] = -1
    return {
        split: np.array([number[name] for name in column], dtype=np.int64)
        for split, column in columns.items()
    }, names


@dataclass(frozen=True)
class Classes:
    """The classes of a dataset, and the labels of its splits as their indices, -1 for none.

    ``unknown`` are classes of training images that a run does not know, ``notes`` sentences for
    the user.
    """

    names: tuple[str, ...]
    labels: Mapping[str, NDArray[np.int64]]
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = field(default=())


def classes_of(
    splits: Mapping[str, StoredSplit], names: Sequence[str], known: Sequence[str] | None = None
) -> Classes:
    """Returns the classes of divided ``splits``, whose labels are indices of ``names``.

    They are those of the training split, in the order of ``names``; with ``known``, those of a run,
    in its order. Images of other classes have no label, which is noted. There are no classes if the
    training images have fewer than two.
    """
    import numpy as np

    columns = {
        split: np.where((part.labels >= 0) & (part.labels < len(names)), part.labels, -1)
        for split, part in splits.items()
    }
    counts = {
        split: np.bincount(column[column >= 0], minlength=len(names))
        for split, column in columns.items()
    }
    in_training = [name for name, count in zip(names, counts["train"], strict=True) if count]
    kept = in_training if known is None else list(known)
    notes = []
    if known is None and len(kept) < 2:
        if kept and len(names) > 1:
            notes.append(
                f"Labels were left out: all training images are of one class, {listed(kept)}."
            )
        return Classes(
            (), {split: unlabeled(len(part)) for split, part in splits.items()}, tuple(notes)
        )
    position = {name: index for index, name in enumerate(kept)}
    to_kept = np.array([position.get(name, -1) for name in names] + [-1], dtype=np.int64)
    labels = {split: to_kept[column] for split, column in columns.items()}
    others = [index for index, name in enumerate(names) if name not in position]
    why = ("has no training images", "have no training images")
    if known is not None:
        why = ("is unknown to the run", "are unknown to the run")
    if found := [index for index in others if sum(count[index] for count in counts.values())]:
        notes.append(_without_label(names, found, counts, why))
    if names and (missing := int((columns["train"] < 0).sum())):
        notes.append(f"{missing:,} of {len(columns['train']):,} training images have no label.")
    unknown = tuple(name for name in in_training if name not in position)
    return Classes(tuple(kept), labels, tuple(notes), unknown)


def _without_label(
    names: Sequence[str],
    found: list[int],
    counts: Mapping[str, NDArray[np.int64]],
    why: Sequence[str],
) -> str:
    """Returns the note on images of the classes ``found``; ``why``, in singular and plural."""
    parts = [
        f"{count:,} in {split}"
        for split, column in counts.items()
        if (count := int(column[found].sum()))
    ]
    images = f"its images have no label ({', '.join(parts)})"
    if len(found) == 1:
        return f"The class {listed([names[found[0]]])} {why[0]}: {images}."
    classes = listed([names[index] for index in found])
    return f"The classes {classes} {why[1]}: {images.replace('its', 'their', 1)}."


def classes_by_position(
    splits: Mapping[str, StoredSplit], names: Sequence[str], folders: bool
) -> Classes:
    """Returns the classes as before format version 3: those of all splits, none if a training image
    has no label; the names of ``folders`` in alphabetical order."""
    import numpy as np

    if len(names) < 2 or (splits["train"].labels < 0).any():
        note = "Labels were left out: some training images have none."
        return Classes(
            (),
            {split: unlabeled(len(part)) for split, part in splits.items()},
            (note,) if len(names) > 1 else (),
        )
    ordered = tuple(sorted(names)) if folders else tuple(names)
    position = {name: index for index, name in enumerate(ordered)}
    to_ordered = np.array([position[name] for name in names] + [-1], dtype=np.int64)
    return Classes(ordered, {split: to_ordered[part.labels] for split, part in splits.items()})


def labeled(data: Dataset) -> Dataset:
    """Returns the images that have a label."""
    import numpy as np

    splits = dict(data.splits)
    for name, split in data.splits.items():
        if (split.labels < 0).any():
            splits[name] = split.select(np.flatnonzero(split.labels >= 0))
    return replace(data, splits=splits)
