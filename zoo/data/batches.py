"""Batches of a split: in the random order of training, or once in order for evaluation.

A resident split lies on the device as uint8, and batches are gathered there; a streamed one is
decoded by worker processes that run ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.dataset import ResidentSplit, Split
from zoo.data.order import EndlessOrder, Order
from zoo.data.quantize import to_levels
from zoo.data.stream import stream
from zoo.errors import ZooError
from zoo.specs import ImageSpec


class Raw(NamedTuple):
    """Pictures before any random draw, on the device: uint8 [N, C, S, S], 0 to 255, and labels
    int64 [N], or None."""

    pictures: Tensor
    labels: Tensor | None


class Batches:
    """The training batches of one of ``world`` processes.

    ``batch_size`` counts the pictures of all processes together. Which pictures a batch has is a
    function of ``seed`` and its index alone (:class:`zoo.data.order.Order`). ``workers`` processes
    decode a split that is streamed; 0 decodes in this one.

    Raises ZooError for an empty split and for a batch size that is no multiple of ``world``.
    """

    def __init__(
        self,
        split: Split,
        image: ImageSpec,
        batch_size: int,
        seed: int,
        device: torch.device | str,
        flip: bool = False,
        workers: int = 2,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.split, self.image, self.flip, self.workers = split, image, flip, workers
        self.device = torch.device(device)
        self.rank, self.world = rank, world
        self.order = Order(len(split), batch_size, seed, rank, world)

    def iterate(self, start: int = 0) -> Iterator[Raw]:
        """This process's part of the batches ``start``, ``start + 1``, ... without end.

        It draws nothing from torch's global generators and does not wait for the device.
        """
        if isinstance(self.split, ResidentSplit):
            return self._gathered(self.split, start)
        return _streamed(
            self.split, EndlessOrder(self.order, start), self.image, self.device, self.workers
        )

    def make(self, raw: Raw) -> Batch:
        """The batch of ``raw``: mirrored where ``flip`` says and by torch's global generator, and
        quantised. Seed torch before it, and a step's draws are a function of that seed."""
        batch = _batch(raw, self.image, self.rank, self.world)
        if not self.flip:
            return batch
        mirrored = batch.rand(1, 1, 1) < 0.5
        levels = torch.where(mirrored, batch.levels.flip(-1), batch.levels)
        return Batch(levels, batch.labels, batch.bits, batch.rank, batch.world)

    def _gathered(self, split: ResidentSplit, start: int) -> Iterator[Raw]:
        try:
            pictures = torch.from_numpy(split.images).to(self.device)
        except torch.OutOfMemoryError as error:
            raise ZooError(
                f"the {split.images.nbytes / 2**30:.1f} GiB of training pictures do not fit on "
                f"{self.device}: --set data.resident_gib=0 streams them"
            ) from error
        labels = None
        if _labeled(split, self.image):
            labels = torch.from_numpy(split.labels).to(self.device)
        for chosen in EndlessOrder(self.order, start):
            index = _to(torch.from_numpy(chosen), self.device)
            yield Raw(
                pictures.index_select(0, index),
                None if labels is None else labels.index_select(0, index),
            )


def in_order(
    split: Split,
    image: ImageSpec,
    batch_size: int,
    device: torch.device | str,
    workers: int = 2,
) -> Iterator[Batch]:
    """Every picture of ``split`` once, in order; the last batch may be smaller."""
    device = torch.device(device)
    starts = range(0, len(split), batch_size)
    if not isinstance(split, ResidentSplit):
        chunks = [range(start, min(start + batch_size, len(split))) for start in starts]
        for raw in _streamed(split, chunks, image, device, workers):
            yield _batch(raw, image)
        return
    labeled = _labeled(split, image)
    for start in starts:
        pictures = torch.from_numpy(split.images[start : start + batch_size])
        labels = torch.from_numpy(split.labels[start : start + batch_size])
        yield _batch(Raw(_to(pictures, device), _to(labels, device) if labeled else None), image)


def _streamed(
    split: Split,
    order: EndlessOrder | list[range],
    image: ImageSpec,
    device: torch.device,
    workers: int,
) -> Iterator[Raw]:
    labeled = _labeled(split, image)
    for pictures, labels in stream(split, order, workers, pin=device.type == "cuda"):
        yield Raw(_to(pictures, device), _to(labels, device) if labeled else None)


def _batch(raw: Raw, image: ImageSpec, rank: int = 0, world: int = 1) -> Batch:
    return Batch(to_levels(raw.pictures, image.bits), raw.labels, image.bits, rank, world)


def _labeled(split: Split, image: ImageSpec) -> bool:
    """Whether every picture has a label; the test pictures of some sets have none."""
    return image.classes > 0 and bool((split.labels >= 0).all())


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    """On the device, without waiting for it: CUDA copies so from pinned memory alone."""
    if device.type == "cuda" and not tensor.is_cuda:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
