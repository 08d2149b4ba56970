"""Batches: their order, noise in one process and several, levels and bins."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from zoo.data import ResidentSplit, StreamedSplit
from zoo.data.batch import Batch
from zoo.data.batches import Batches, Raw, in_order
from zoo.data.order import Order
from zoo.data.preparation.prepare import Preparation
from zoo.data.quantize import dequantize, from_unit, to_unit
from zoo.data.tables.arrays import ArrayImages
from zoo.errors import ZooError
from zoo.specs import ImageSpec

COUNT = 50
IMAGES = np.random.default_rng(1).integers(0, 256, (COUNT, 3, 4, 4), dtype=np.uint8)
LABELS = np.arange(COUNT) % 7
SPEC = ImageSpec(3, 4, classes=7)
RESIDENT = ResidentSplit(IMAGES, LABELS)
STREAMED = StreamedSplit(
    ArrayImages(IMAGES.transpose(0, 2, 3, 1), "test"), LABELS, Preparation(4, 3)
)


def batches(split: Any = RESIDENT, size: int = 12, seed: int = 5, **options: Any) -> Batches:
    return Batches(split, options.pop("image_spec", SPEC), size, seed, "cpu", **options)


def take(iterator: Iterator[Raw], count: int) -> list[Raw]:
    return list(itertools.islice(iterator, count))


def noise(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(left: list[Raw], right: list[Raw]) -> bool:
    return len(left) == len(right) and all(
        torch.equal(a, b)
        for batch, other in zip(left, right, strict=True)
        for a, b in zip(batch, other, strict=True)
    )


# Order


@pytest.mark.parametrize(("count", "size"), [(10, 4), (10, 10), (3, 8), (7, 20), (1, 2)])
def test_every_image_comes_once_an_epoch(count: int, size: int) -> None:
    order = Order(count, size, seed=3)
    epochs = 6
    positions = np.concatenate([order.batch(b) for b in range(-(-count * epochs // size))])
    for epoch in range(epochs):
        epoch_indices = positions[epoch * count : (epoch + 1) * count]
        assert sorted(epoch_indices) == list(range(count))


def test_epochs_and_seeds_differ() -> None:
    first, second = (Order(50, 50, seed=3).batch(epoch) for epoch in (0, 1))
    other = Order(50, 50, seed=4).batch(0)
    assert len({tuple(order) for order in (first, second, other)}) == 3


def test_the_order_is_that_of_older_versions() -> None:
    """A resumed run must continue in the order in which it was started."""
    assert Order(10, 10, seed=0).batch(0).tolist() == [4, 6, 2, 7, 3, 5, 9, 0, 8, 1]
    assert Order(10, 10, seed=2**63 - 1).batch(7).tolist() == [8, 1, 3, 5, 4, 0, 7, 2, 9, 6]


@pytest.mark.parametrize("split", [RESIDENT, STREAMED])
def test_iterating_from_a_batch_equals_skipping_to_it(split: Any) -> None:
    whole = take(batches(split, workers=0).iterate(), 12)
    assert same(take(batches(split, workers=0).iterate(7), 5), whole[7:])
    index = batches().order.batch(9)
    np.testing.assert_array_equal(whole[9].pixels.numpy(), IMAGES[index])
    assert whole[9].labels is not None
    np.testing.assert_array_equal(whole[9].labels.numpy(), LABELS[index])


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_batches_equal_those_of_a_resident_split(workers: int) -> None:
    streamed = take(batches(STREAMED, workers=workers).iterate(2), 9)
    assert same(streamed, take(batches(RESIDENT).iterate(2), 9))


@pytest.mark.parametrize("split", [RESIDENT, STREAMED])
def test_iterating_draws_no_random_numbers(split: Any) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    take(batches(split, workers=0).iterate(), 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("split", [RESIDENT, STREAMED])
@pytest.mark.parametrize("flip", [False, True])
def test_several_processes_together_equal_one(split: Any, flip: bool) -> None:
    def step(rank: int, world: int) -> tuple[torch.Tensor, ...]:
        own = batches(split, flip=flip, workers=0, rank=rank, world=world)
        (raw,) = take(own.iterate(4), 1)
        batch = own.make(raw, noise(77))
        assert batch.labels is not None
        assert len(batch) == 12 // world
        return batch.levels, batch.labels, batch.dequantized, batch.rand(2), batch.randn(3, 1)

    alone = step(0, 1)
    together = [torch.cat(parts) for parts in zip(*(step(r, 3) for r in range(3)), strict=True)]
    for tensor, joined in zip(alone, together, strict=True):
        assert torch.equal(tensor, joined)


@pytest.mark.parametrize("flip", [False, True])
def test_the_batches_of_a_step_share_a_stream_of_noise(flip: bool) -> None:
    """The noise is that of torch's global generator with the same seed, which is left alone."""
    own = batches(flip=flip)
    generator, before = noise(3), torch.get_rng_state()
    parts = [own.make(raw, generator) for raw in take(own.iterate(), 2)]
    noises = [f for part in parts for f in (part.rand(2), part.randn(3), part.dequantized)]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(3)
    if flip:
        [torch.rand(12, 1, 1, 1) for _ in parts]
    shape = parts[0].levels.shape
    for rand, randn, dequantized in (noises[:3], noises[3:]):
        assert torch.equal(rand, torch.rand(12, 2))
        assert torch.equal(randn, torch.randn(12, 3))
        assert dequantized.shape == torch.rand(shape).shape


def test_the_batch_size_must_be_a_multiple_of_the_processes() -> None:
    with pytest.raises(ZooError, match=r"batch_size must be a multiple of the 5 processes; got 12"):
        batches(world=5)
    with pytest.raises(ZooError, match="no training images"):
        batches(ResidentSplit(IMAGES[:0], LABELS[:0]))


# Contents


def test_half_of_the_images_are_mirrored() -> None:
    flipped = batches(size=200, flip=True)
    (raw,) = take(flipped.iterate(), 1)
    levels = flipped.make(raw, noise(0)).levels
    mirrored = (levels == raw.pixels.flip(-1)).flatten(1).all(1)
    unchanged = (levels == raw.pixels).flatten(1).all(1)
    assert (mirrored ^ unchanged).all()
    assert 70 < int(mirrored.sum()) < 130


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_levels_images_and_bins(bits: int) -> None:
    quantized = batches(image_spec=ImageSpec(3, 4, 7, bits))
    (raw,) = take(quantized.iterate(), 1)
    batch = quantized.make(raw, noise(0))
    assert batch.levels.dtype == torch.uint8
    expected = raw.pixels.numpy() // 2 ** (8 - bits)
    np.testing.assert_array_equal(batch.levels.numpy(), expected)
    assert batch.images.dtype == batch.dequantized.dtype == torch.float32
    np.testing.assert_allclose(batch.images.numpy(), expected / (2**bits - 1), rtol=1e-6)
    np.testing.assert_array_equal(np.floor(batch.dequantized.numpy() * 2**bits), expected)
    assert batch.dequantized is batch.dequantized
    assert batch.bits == bits


@pytest.mark.parametrize("bits", [5, 8])
def test_dequantized_is_uniform_in_its_bin(bits: int) -> None:
    torch.manual_seed(3)
    levels = torch.randint(0, 2**bits, (100, 3, 32, 32), dtype=torch.uint8)
    x = Batch(levels, None, bits).dequantized
    assert float(x.min()) >= 0
    assert float(x.max()) < 1
    u = x.double() * 2**bits - levels
    assert float(u.min()) >= 0
    assert float(u.max()) < 1
    ordered = u.flatten().sort().values
    n = len(ordered)
    distance = (ordered - (torch.arange(n, dtype=torch.float64) + 0.5) / n).abs().max()
    assert float(distance) < 1.95 / n**0.5  # Kolmogorov-Smirnov, p = 0.001
    correlation = torch.corrcoef(torch.stack([u.flatten(), levels.double().flatten()]))[0, 1]
    assert abs(float(correlation)) < 0.01


def test_the_largest_noise_stays_in_the_bin() -> None:
    for bits in range(1, 9):
        levels = torch.arange(2**bits, dtype=torch.uint8)
        x = dequantize(levels, torch.full_like(levels, 1 - 2**-24, dtype=torch.float32), bits)
        assert torch.equal((x * 2**bits).floor().to(torch.uint8), levels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_to_unit_gives_the_centers_and_from_unit_the_images(dtype: torch.dtype) -> None:
    for bits in range(1, 9):
        levels = torch.arange(2**bits, dtype=dtype)
        images = levels / (2**bits - 1)
        unit = to_unit(images, bits)
        assert unit.dtype == dtype
        torch.testing.assert_close(unit, (levels + 0.5) / 2**bits)
        torch.testing.assert_close(from_unit(unit, bits), images)
    assert from_unit(torch.tensor([-1.0, 0.0, 1.0, 2.0]), 3).tolist() == [0, 0, 1, 1]


def test_labels_are_none_if_an_image_has_none() -> None:
    (raw,) = take(batches(image_spec=ImageSpec(3, 4)).iterate(), 1)
    assert raw.labels is None
    unknown = ResidentSplit(IMAGES, np.where(LABELS == 3, -1, LABELS))
    (raw,) = take(batches(unknown).iterate(), 1)
    assert raw.labels is None


@pytest.mark.parametrize(("split", "workers"), [(RESIDENT, 0), (STREAMED, 0), (STREAMED, 2)])
def test_in_order_yields_every_image_once(split: Any, workers: int) -> None:
    batches = list(in_order(split, ImageSpec(3, 4, 7, bits=5), 20, "cpu", workers=workers))
    assert [len(batch) for batch in batches] == [20, 20, 10]
    levels = torch.cat([batch.levels for batch in batches]).numpy()
    np.testing.assert_array_equal(levels, IMAGES // 8)
    labels = [batch.labels for batch in batches if batch.labels is not None]
    np.testing.assert_array_equal(torch.cat(labels).numpy(), LABELS)
    empty = ResidentSplit(IMAGES[:0], LABELS[:0])
    assert list(in_order(empty, SPEC, 20, "cpu")) == []


# Faults


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_worker_is_one_sentence(workers: int) -> None:
    wrong = StreamedSplit(
        ArrayImages(IMAGES[:, 0], "test"), LABELS, Preparation(8, 3)
    )  # 4x4 images where 8x8 are expected
    with pytest.raises(ZooError, match=r"^image \d+ of test is 4x4 pixels, smaller") as caught:
        take(batches(wrong, workers=workers).iterate(), 1)
    assert "Traceback" not in str(caught.value)


@dataclass(frozen=True)
class Exits:
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        os._exit(9)


def test_a_worker_that_dies_is_one_sentence() -> None:
    with pytest.raises(ZooError, match=r"died.*--set data\.workers=N"):
        take(batches(Exits(LABELS), workers=1).iterate(), 1)
