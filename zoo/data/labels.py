"""Labels as sources store them, as names of classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.data.classes import class_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target", "digit", "character")
"""Names of columns of labels, the preferred first."""


def as_labels(values: Sequence[Any]) -> list[str | None] | None:
    """Returns the names of classes, None for no label; None for values that are not classes.

    Lists with a single 1 among zeros stand for its position.
    """
    if any(isinstance(value, list | tuple) for value in values):
        values = _one_hot(values) or values
    try:
        return class_names(values)
    except TypeError:
        return None


def label_column(
    columns: Collection[str], labels: Mapping[str, list[str | None] | None]
) -> tuple[str | None, list[str | None], list[str]]:
    """Returns the first column of labels with its values, and the names of the others.

    ``labels`` are those of the columns in LABEL_COLUMNS, None for one without classes.
    """
    others = list(columns)
    for name in LABEL_COLUMNS:
        if name in columns and (values := labels[name]) is not None:
            others.remove(name)
            return name, values, others
    return None, [], others


def class_labels(values: Sequence[Any], names: Sequence[str]) -> list[str | None]:
    """Returns the names of classes by their numbers, None for a number without one."""
    return [
        names[value] if isinstance(value, int) and 0 <= value < len(names) else None
        for value in values
    ]


def in_order(
    labels: Mapping[str, Sequence[str | None]], names: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """Returns labels as indices of ``names``, int64 [N] by split; -1 for none."""
    import numpy as np

    number: dict[str | None, int] = {name: index for index, name in enumerate(names)} | {None: -1}
    return {
        split: np.array([number[label] for label in column], dtype=np.int64)
        for split, column in labels.items()
    }


def _one_hot(rows: Sequence[Any]) -> list[int] | None:
    """Returns the position of the 1 in each row, None if any is not one-hot."""
    if not all(isinstance(row, list | tuple) and len(row) == len(rows[0]) > 1 for row in rows):
        return None
    if not all(row.count(0) == len(row) - 1 and row.count(1) == 1 for row in rows):
        return None
    return [row.index(1) for row in rows]
