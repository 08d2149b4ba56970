"""The class of each picture that a conditional model draws; numpy alone, as the latents."""

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
    """The class of each of ``n`` pictures, int64 ``[n]``: ``labels``, one for all or one for each,
    or the classes in turn where it is None. None for a model without classes.

    Raises UsageError for labels that such a model cannot take.
    """
    if not classes:
        if labels is not None:
            raise UsageError(f"this {model} is not conditional: it takes no label")
        return None
    if labels is None:
        return np.arange(n) % classes
    given = np.asarray(labels, np.int64)
    if given.shape not in ((), (1,), (n,)):
        raise UsageError(f"labels are one class, or one for each of {n}, got {given.size}")
    if wrong := [label for label in given.flat if not 0 <= label < classes]:
        raise UsageError(f"labels go from 0 to {classes - 1}, got {wrong[0]}")
    return np.broadcast_to(given, (n,)).copy()
