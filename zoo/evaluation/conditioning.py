"""Classes in the evaluation of a conditional model: those of the images it is compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.dataset import Dataset
from zoo.sampling.labels import Indices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.model import Model


@dataclass(frozen=True)
class Conditioning:
    """The data that a model is evaluated on.

    For a conditional model, its split has the images with a class of the model, and ``left_out``
    counts the others. If no image has one, the split is as it was and ``unlabeled`` is the reason
    why images cannot be scored; else it is empty.
    """

    data: Dataset
    left_out: int = 0
    unlabeled: str = ""


def conditioned(model: Model, data: Dataset, split: str) -> Conditioning:
    """Returns the images of ``split`` that ``model`` can be evaluated on."""
    if not model.latent.classes:
        return Conditioning(data)
    labels = data.splits[split].labels
    known = (labels >= 0) & (labels < model.latent.classes)
    if known.all() and len(labels):
        return Conditioning(data)
    if not known.any():
        reason = (
            f"{model.name} is conditional, and no image of the {split} split of {data.name} has "
            "one of its classes"
        )
        return Conditioning(data, unlabeled=reason)
    selected = data.splits[split].select(np.flatnonzero(known))
    splits = {**data.splits, split: selected}
    return Conditioning(replace(data, splits=splits), int((~known).sum()))


def sample_labels(labels: NDArray[np.int64], count: int) -> Indices:
    """Returns the classes of ``count`` samples, with the frequencies of ``labels``: for as many
    samples as images, the labels in ascending order."""
    positions = (2 * np.arange(count) + 1) * len(labels) // (2 * count)
    return Indices(np.sort(labels)[positions])
