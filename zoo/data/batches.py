"""Batches of a split: endless, in random order, for training; or once, in order, for evaluation.

A resident split is copied to the device as uint8 and its batches are gathered there; a streamed one
is decoded by worker processes ahead of time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
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
    """A batch before any random draw, on the device: ``pixels`` uint8 [N, C, S, S], 0 to 255, and
    ``labels`` int64 [N] or None."""

    pixels: Tensor
    labels: Tensor | None


class Batches:
    """The training batches of one of ``world`` processes.

    ``batch_size`` counts the images of all processes together. The images of a batch are a function
    of ``seed`` and its index alone (:class:`zoo.data.order.Order`). ``workers`` processes decode a
    streamed split; with 0 this process does.

    Raises ZooError for an empty split and for a batch size that is not a multiple of ``world``.
    """

    def __init__(
        self,
        split: Split,
        image_spec: ImageSpec,
        batch_size: int,
        seed: int,
        device: torch.device | str,
        flip: bool = False,
        workers: int = 2,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.split, self.image_spec, self.flip, self.workers = split, image_spec, flip, workers
        self.device = torch.device(device)
        self.rank, self.world = rank, world
        self.order = Order(len(split), batch_size, seed, rank, world)

    def iterate(self, start: int = 0) -> Iterator[Raw]:
        """Yields this process's part of the batches ``start``, ``start + 1``, ... without end.

        Draws no random numbers and does not wait for the device.
        """
        order = EndlessOrder(self.order, start)
        if isinstance(self.split, ResidentSplit):
            return self._gather(self.split, order)
        return _stream(self.split, order, self.image_spec, self.device, self.workers)

    def make(self, raw: Raw, generator: torch.Generator) -> Batch:
        """Returns the batch of ``raw``, quantized and, with ``flip``, mirrored at random.

        ``generator``, on the device, is the batch's: the batches of a step share one.
        """
        batch = _batch(raw, self.image_spec, self.rank, self.world).with_generator(generator)
        if not self.flip:
            return batch
        mirrored = batch.rand(1, 1, 1) < 0.5
        levels = torch.where(mirrored, batch.levels.flip(-1), batch.levels)
        return replace(batch, levels=levels)

    def _gather(self, split: ResidentSplit, order: EndlessOrder) -> Iterator[Raw]:
        try:
            pixels = torch.from_numpy(split.images).to(self.device)
        except torch.OutOfMemoryError as error:
            raise ZooError(
                f"the training images ({split.images.nbytes / 2**30:.1f} GiB) do not fit on "
                f"{self.device}: --set data.resident_gib=0 streams them"
            ) from error
        labels = None
        if _is_labeled(split, self.image_spec):
            labels = torch.from_numpy(split.labels).to(self.device)
        for indices in order:
            index = _to(torch.from_numpy(indices), self.device)
            yield Raw(
                pixels.index_select(0, index),
                None if labels is None else labels.index_select(0, index),
            )


def in_order(
    split: Split,
    image_spec: ImageSpec,
    batch_size: int,
    device: torch.device | str,
    workers: int = 2,
) -> Iterator[Batch]:
    """Yields every image of ``split`` once, in order; the last batch may be smaller."""
    device = torch.device(device)
    starts = range(0, len(split), batch_size)
    chunks = [range(start, min(start + batch_size, len(split))) for start in starts]
    if isinstance(split, ResidentSplit):
        raws = _slices(split, chunks, image_spec, device)
    else:
        raws = _stream(split, chunks, image_spec, device, workers)
    return (_batch(raw, image_spec) for raw in raws)


def _slices(
    split: ResidentSplit, chunks: list[range], image_spec: ImageSpec, device: torch.device
) -> Iterator[Raw]:
    pairs = (
        (
            torch.from_numpy(split.images[chunk.start : chunk.stop]),
            torch.from_numpy(split.labels[chunk.start : chunk.stop]),
        )
        for chunk in chunks
    )
    return _on_device(pairs, split, image_spec, device)


def _stream(
    split: Split,
    order: EndlessOrder | list[range],
    image_spec: ImageSpec,
    device: torch.device,
    workers: int,
) -> Iterator[Raw]:
    pairs = stream(split, order, workers, pin=device.type == "cuda")
    return _on_device(pairs, split, image_spec, device)


def _on_device(
    pairs: Iterable[tuple[Tensor, Tensor]],
    split: Split,
    image_spec: ImageSpec,
    device: torch.device,
) -> Iterator[Raw]:
    labeled = _is_labeled(split, image_spec)
    for pixels, labels in pairs:
        yield Raw(_to(pixels, device), _to(labels, device) if labeled else None)


def _batch(raw: Raw, image_spec: ImageSpec, rank: int = 0, world: int = 1) -> Batch:
    return Batch(to_levels(raw.pixels, image_spec.bits), raw.labels, image_spec.bits, rank, world)


def _is_labeled(split: Split, image_spec: ImageSpec) -> bool:
    """Whether every image has a label; the test images of some datasets have none."""
    return image_spec.classes > 0 and bool((split.labels >= 0).all())


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    """Copies to the device without waiting, which CUDA does from pinned memory only."""
    if device.type == "cuda" and not tensor.is_cuda:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
