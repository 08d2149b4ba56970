"""Bits per dimension: how it is counted, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoo.data.batches import in_order
from zoo.errors import ZooError
from zoo.training.seeding import EVALUATION, seed_torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.data.batch import Batch
    from zoo.data.dataset import Dataset
    from zoo.run import Run

BATCH_SIZE = 100
VALIDATION_PICTURES = 500
"""So many pictures of the validation split are scored at each checkpoint."""


@dataclass(frozen=True)
class Score:
    """A mean over pictures, in bits per dimension, with its standard error and protocol."""

    bits_per_dim: float
    standard_error: float
    pictures: int
    data: str
    split: str
    seed: int
    bits: int
    dimensions: int

    @property
    def protocol(self) -> str:
        """How the figure was counted, in words."""
        return (
            f"mean over {self.pictures} pictures of the {self.split} split of {self.data}, "
            f"{self.dimensions} values of {self.bits} bits each, one uniform dequantisation draw a "
            f"picture, seed {self.seed}"
        )


def score_split(run: Run, data: Dataset, split: str = "test", seed: int = 0) -> Score:
    """Bits/dim of a split under the run's weights: nats of ``zoo_score`` / (D log 2).

    Raises ZooError for an empty split, and for a figure that is not finite, naming the picture.
    """
    if not len(data.splits[split]):
        raise ZooError(f"{data.name} has no {split} split to score: name another --data or --split")
    found = scores(run, run.network, data, split, seed)
    bits = torch.cat([batch.cpu() for batch in found]).double()
    image = data.image
    return Score(
        bits_per_dim=bits.mean().item(),
        standard_error=(bits.std() / math.sqrt(len(bits))).item() if len(bits) > 1 else 0.0,
        pictures=len(bits),
        data=data.name,
        split=split,
        seed=seed,
        bits=image.bits,
        dimensions=image.dimensions,
    )


def validation_bits_per_dim(run: Run, network: nn.Module, data: Dataset) -> float | None:
    """The mean over the first pictures of the validation split, the same draws every time; None
    where the model has no score or the data no such split."""
    if not run.host.has("zoo_score", run.model) or not len(data.splits["validation"]):
        return None
    found, counted = [], 0
    for bits in scores(run, network, data, "validation", run.config.training.seed):
        found.append(bits)
        counted += len(bits)
        if counted >= VALIDATION_PICTURES:
            break
    return float(torch.cat(found).mean().item())


def scores(run: Run, network: nn.Module, data: Dataset, split: str, seed: int) -> Iterator[Tensor]:
    """Bits/dim of each picture of a split, in order, ``[n]`` a batch."""
    for index, batch in enumerate(in_order(data.splits[split], data.image, BATCH_SIZE, run.device)):
        seed_torch(seed, EVALUATION, index)
        bits = score_batch(run, network, batch)
        if not bool(bits.isfinite().all()):
            bad = index * BATCH_SIZE + int((~bits.isfinite()).nonzero()[0].item())
            raise ZooError(
                f"picture {bad} of the {split} split has no finite likelihood: "
                "take weights from before the run diverged"
            )
        yield bits


@torch.no_grad()
def score_batch(run: Run, network: nn.Module, batch: Batch) -> Tensor:
    """Bits/dim of each picture of a batch, ``[N]``."""
    training = network.training
    network.eval()
    try:
        nats: Tensor = run.host.call("zoo_score", run.model, network=network, batch=batch)
    finally:
        network.train(training)
    return nats / (batch.dimensions * math.log(2))
