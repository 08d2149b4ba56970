"""Labels of any kind as integers from 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def unlabeled(count: int) -> NDArray[np.int64]:
    """Returns -1, which means no label, ``count`` times: int64 [count]."""
    import numpy as np

    return np.full(count, -1, dtype=np.int64)


def numbered(
    labels: Mapping[str, Sequence[object]],
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Returns each split's labels as int64, and the names of the classes.

    Classes are the distinct labels of all splits: words in alphabetical order, integers by value.
    None becomes -1. Raises TypeError for labels that are neither words nor integers.
    """
    import numpy as np

    distinct: set[Any] = {label for column in labels.values() for label in column} - {None}
    kinds = {type(label) for label in distinct}
    if not (kinds <= {str} or kinds <= {int, bool}):
        raise TypeError(f"labels of type {', '.join(sorted(kind.__name__ for kind in kinds))}")
    order = sorted(distinct)
    number = {label: index for index, label in enumerate(order)} | {None: -1}
    columns = {
        split: np.array([number[label] for label in column], dtype=np.int64)
        for split, column in labels.items()
    }
    return columns, tuple(str(label) for label in order)
