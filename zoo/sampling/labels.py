"""Class labels of the images that a conditional model generates, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def choose(
    n: int, labels: int | Sequence[int] | NDArray[np.int64] | None, classes: int, model: str
) -> NDArray[np.int64] | None:
    """Returns the class of each of ``n`` images, int64 ``[n]``; None for a model without classes.

    ``labels`` is one class, one class per image, or None: the classes in turn. Raises UsageError
    for labels that the model cannot take.
    """
    if not classes:
        if labels is not None:
            raise UsageError(f"this {model} is unconditional: it takes no labels")
        return None
    if labels is None:
        return np.arange(n) % classes
    values = np.asarray(labels, np.int64)
    if values.shape not in ((), (1,), (n,)):
        raise UsageError(f"labels must be one class, or one for each of {n}, got {values.size}")
    if invalid := [label for label in values.flat if not 0 <= label < classes]:
        raise UsageError(f"labels must be from 0 to {classes - 1}, got {invalid[0]}")
    return np.broadcast_to(values, (n,)).copy()
