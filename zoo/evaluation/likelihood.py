"""Nats and bits per dimension."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.data.batches import in_order
from zoo.data.spread import spread_split
from zoo.errors import ZooError
from zoo.sampling.seeding import HOOK, SCORING, generator_for, seeded

if TYPE_CHECKING:
    from zoo.data.batch import Batch
    from zoo.data.dataset import Dataset
    from zoo.model import Model

BATCH_SIZE = 100
VALIDATION_IMAGES = 500
"""Maximum number of images of the validation split that are scored at each checkpoint."""

DEQUANTIZED = "an upper bound with one uniform dequantization noise per image"

Count = Callable[["Batch"], Tensor]
"""Nats of each image of a batch, ``[N]``."""


class Scorer:
    """Computes the nats of a model; ``method`` describes the protocol afterwards."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._dequantized = False

    def __call__(self, batch: Batch) -> Tensor:
        nats = self.model.score(batch)
        self._dequantized = "dequantized" in vars(batch)
        return nats

    @property
    def method(self) -> str:
        """The method that the plugin states, else whether a batch was dequantized."""
        if likelihood := self.model.likelihood():
            return ", ".join(filter(None, (likelihood.method, likelihood.decoder)))
        return DEQUANTIZED if self._dequantized else f"as zoo_score of {self.model.name} gives them"


def importance_weighted(model: Model, samples: int) -> tuple[Count, str] | None:
    """Returns a function that computes importance-weighted nats with ``samples`` per image, and its
    method; None if the plugin has no such bound."""
    likelihood = model.likelihood()
    if likelihood is None or likelihood.importance_weighted is None:
        return None
    weighted = likelihood.importance_weighted
    method = f"an upper bound, -log of the mean of k = {samples:,} importance weights per image"

    @torch.no_grad()
    def count(batch: Batch) -> Tensor:
        with model.owner.blame("zoo_likelihood"):
            return weighted(batch, samples)

    return count, ", ".join(filter(None, (method, likelihood.decoder)))


def image_nats(
    model: Model,
    data: Dataset,
    split: str,
    seed: int,
    count: Count,
    max_images: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Tensor]:
    """Yields the nats of the images of a split in order, ``[n]`` per batch.

    At most ``max_images`` are spread over the split (:mod:`zoo.data.spread`). The random numbers of
    a batch depend on ``seed`` and the index of the batch. Raises ZooError, naming the image, for
    nats that are not finite.
    """
    images, indices = spread_split(data.splits[split], max_images)
    for index, batch in enumerate(in_order(images, data.image_spec, BATCH_SIZE, model.device)):
        generator = generator_for(seed, SCORING, index, model.device)
        with seeded(seed, HOOK + SCORING, index, model.device):
            nats = count(batch.with_generator(generator))
        if nats.shape != (len(batch),):
            raise ZooError(
                f"{model.name} returned nats {list(nats.shape)} for a batch of {len(batch)} "
                "images: its plugin must return one value per image"
            )
        first = index * BATCH_SIZE
        if not bool(nats.isfinite().all()):
            bad = first + int((~nats.isfinite()).nonzero()[0].item())
            raise ZooError(
                f"image {indices[bad]} of the {split} split has no finite likelihood: "
                "use weights from before the run diverged"
            )
        yield nats
        if progress is not None:
            progress(first + len(nats), len(images))


def validation_bits_per_dim(model: Model, data: Dataset, seed: int) -> float | None:
    """Returns the mean over at most VALIDATION_IMAGES images, spread over the split,
    with the same noise each time; None without a score or a validation split."""
    if not model.scores or not len(data.splits["validation"]):
        return None
    parts = image_nats(model, data, "validation", seed, Scorer(model), VALIDATION_IMAGES)
    nats_per_bit = data.image_spec.dimensions * math.log(2)
    return float((torch.cat(list(parts)) / nats_per_bit).mean().item())
