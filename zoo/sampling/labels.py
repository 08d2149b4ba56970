"""Classes of the images that a conditional model generates or encodes, in numpy."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError
from zoo.sampling.names import find, listed, suggested
from zoo.specs import Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Indices:
    """Indices of classes, as batches and splits have them, where a caller's labels are names."""

    values: NDArray[np.int64]


def choose(
    n: int,
    labels: Labels,
    classes: int,
    model: str,
    class_names: Sequence[str] = (),
) -> NDArray[np.int64] | None:
    """Returns the class of each of ``n`` images, int64 ``[n]``; None for a model without classes.

    ``labels`` are :data:`zoo.specs.Labels`, or :class:`Indices`; without ``class_names`` all are
    indices. Raises UsageError for labels that the model cannot
    take.
    """
    if not classes:
        if labels is not None:
            raise UsageError(f"this {model} is unconditional: it takes no labels")
        return None
    if labels is None:
        return np.arange(n) % classes
    if isinstance(labels, Indices):
        values = labels.values
        if invalid := [label for label in values.flat if not 0 <= label < classes]:
            raise UsageError(f"labels must be from 0 to {classes - 1}, got {invalid[0]}")
    else:

        @functools.cache
        def index(label: str | int) -> int:
            return _index(label, classes, model, class_names)

        items = _items(labels)
        if isinstance(items, list):
            values = np.array([index(_plain(item)) for item in items], np.int64)
        else:
            values = np.array(index(_plain(items)), np.int64)
    if values.shape not in ((), (1,), (n,)):
        raise UsageError(f"labels must be one class, or one for each of {n}, got {values.size}")
    return np.broadcast_to(values, (n,)).copy()


def _items(labels: Any) -> Any:
    """Returns one label, or a list of labels of a sequence, array or tensor."""
    if hasattr(labels, "tolist"):  # numpy and torch
        return labels.tolist()
    if isinstance(labels, str | bytes | int | float):
        return labels
    try:
        return list(labels)
    except TypeError:
        raise _invalid(labels) from None


def _plain(label: Any) -> str | int:
    """Returns a label as str or int; raises UsageError for another kind."""
    if hasattr(label, "tolist"):
        label = label.tolist()
    if isinstance(label, bytes):
        label = label.decode("utf-8", "backslashreplace")
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, bool):
        label = int(label)
    if not isinstance(label, str | int):
        raise _invalid(label)
    return label


def _invalid(label: object) -> UsageError:
    return UsageError(f"labels must be names of classes or integers, got {label!r:.80}")


def _index(label: str | int, classes: int, model: str, class_names: Sequence[str]) -> int:
    found = find(label, class_names)
    if found is not None:
        return found
    if class_names:
        raise UsageError(
            f"there is no class {label!r:.80} among {listed(class_names)}"
            f"{suggested(label, class_names)}"
        )
    try:
        index = int(label)
    except ValueError:
        raise UsageError(
            f"this {model} was trained before runs kept class names: the label must be an index "
            f"from 0 to {classes - 1}, got {label!r:.80}"
        ) from None
    if not 0 <= index < classes:
        raise UsageError(f"labels must be from 0 to {classes - 1}, got {index}")
    return index
