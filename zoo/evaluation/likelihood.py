"""Nats and bits per dimension: how they are counted, in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoo.data.batches import in_order
from zoo.errors import ZooError
from zoo.sampling.seeding import EVALUATION, seed_torch
from zoo.specs import Scoring

if TYPE_CHECKING:
    from zoo.data.batch import Batch
    from zoo.data.dataset import Dataset
    from zoo.run import Run

BATCH_SIZE = 100
VALIDATION_PICTURES = 500
"""So many pictures of the validation split are scored at each checkpoint."""

DEQUANTIZED = "an upper bound by one uniform dequantisation draw a picture"

Count = Callable[["Batch"], Tensor]
"""Nats of each picture of a batch, ``[N]``."""


class Scored:
    """Counts nats with the network of a run, and knows how it did: ``method``, in words."""

    def __init__(self, run: Run, network: nn.Module | None = None) -> None:
        self.run = run
        self.network = run.network if network is None else network
        self._dequantized = False

    def __call__(self, batch: Batch) -> Tensor:
        nats = score_batch(self.run, self.network, batch)
        self._dequantized = "dequantized" in vars(batch)
        return nats

    @property
    def method(self) -> str:
        """What the plugin says; else what its ``zoo_score`` was seen to do with a batch."""
        if said := scoring(self.run):
            return ", ".join(filter(None, (said.method, said.likelihood)))
        return DEQUANTIZED if self._dequantized else f"as zoo_score of {self.run.model} gives them"


def scoring(run: Run) -> Scoring | None:
    """What the plugin says of its scores; None where it says nothing."""
    if not run.host.has("zoo_scoring", run.model):
        return None
    found = run.host.call("zoo_scoring", run.model, network=run.network)
    if not isinstance(found, Scoring):
        raise ZooError(f"zoo_scoring of {run.model} gave {found!r}, which is no zoo.Scoring")
    return found


def importance_weighted(run: Run, samples: int) -> tuple[Count, str] | None:
    """What counts importance-weighted nats with ``samples`` a picture, and how, in words; None
    where the plugin cannot."""
    said = scoring(run)
    if said is None or said.importance_weighted is None:
        return None
    weighted = said.importance_weighted
    words = f"an upper bound, -log of the mean of k = {samples:,} importance weights a picture"

    @torch.no_grad()
    def count(batch: Batch) -> Tensor:
        with run.host.blame(run.model, "zoo_scoring"):
            return weighted(batch, samples)

    return count, ", ".join(filter(None, (words, said.likelihood)))


def picture_nats(
    run: Run,
    data: Dataset,
    split: str,
    seed: int,
    count: Count,
    most: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Tensor]:
    """Nats of each picture of a split in order, or of the first ``most``, ``[n]`` a batch.

    The draws of a batch are a function of ``seed`` and the batch's number. Raises ZooError for
    nats that are not finite, naming the picture.
    """
    total = len(data.splits[split]) if most is None else min(most, len(data.splits[split]))
    for index, batch in enumerate(in_order(data.splits[split], data.image, BATCH_SIZE, run.device)):
        first = index * BATCH_SIZE
        if first >= total:
            return
        seed_torch(seed, EVALUATION, index)
        nats = count(batch)
        if nats.shape != (len(batch),):
            raise ZooError(
                f"{run.model} gave nats {list(nats.shape)} for a batch of {len(batch)} pictures: "
                "its plugin must give one number each"
            )
        nats = nats[: total - first]
        if not bool(nats.isfinite().all()):
            bad = first + int((~nats.isfinite()).nonzero()[0].item())
            raise ZooError(
                f"picture {bad} of the {split} split has no finite likelihood: "
                "take weights from before the run diverged"
            )
        yield nats
        if progress is not None:
            progress(first + len(nats), total)


def validation_bits_per_dim(run: Run, network: nn.Module, data: Dataset) -> float | None:
    """The mean over the first pictures of the validation split, the same draws every time; None
    where the model has no score or the data no such split."""
    if not run.host.has("zoo_score", run.model) or not len(data.splits["validation"]):
        return None
    seed, most = run.config.training.seed, VALIDATION_PICTURES
    found = picture_nats(run, data, "validation", seed, Scored(run, network), most)
    bit = data.image.dimensions * math.log(2)
    return float((torch.cat(list(found)) / bit).mean().item())


@torch.no_grad()
def score_batch(run: Run, network: nn.Module, batch: Batch) -> Tensor:
    """Nats of each picture of a batch by ``zoo_score``, ``[N]``."""
    training = network.training
    network.eval()
    try:
        nats: Tensor = run.host.call("zoo_score", run.model, network=network, batch=batch)
    finally:
        network.train(training)
    return nats
