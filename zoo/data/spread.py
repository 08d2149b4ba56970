"""Subsets of a split that stand for all of it: spread over its order and over its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.data.dataset import Split


def spread(count: int, maximum: int) -> NDArray[np.int64]:
    """Returns at most ``maximum`` indices below ``count``, evenly spaced, both ends included."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, maximum)).round().astype(np.int64))


def spread_by_class(labels: NDArray[np.int64], maximum: int) -> NDArray[np.int64]:
    """Returns at most ``maximum`` indices of ``labels``, int64 [N], ascending.

    Each class has its share of them, within rounding, evenly spaced over its images.
    """
    import numpy as np

    count = len(labels)
    number = min(count, maximum)
    by_class = np.argsort(labels, kind="stable")
    middles = (2 * np.arange(number) + 1) * count // (2 * max(number, 1))
    return np.sort(by_class[middles])


def spread_split(split: Split, maximum: int | None) -> tuple[Split, NDArray[np.int64]]:
    """Returns at most ``maximum`` images of a split, all if None, and their indices in it.

    They are spread by class (:func:`spread_by_class`), in the order of the split.
    """
    import numpy as np

    if maximum is None or maximum >= len(split):
        return split, np.arange(len(split))
    indices = spread_by_class(split.labels, maximum)
    return split.select(indices), indices
