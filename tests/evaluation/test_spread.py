"""A part of a split stands for all of it, in any order of its classes."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from zoo.config.sections import DataConfig
from zoo.data import Dataset, ResidentSplit
from zoo.data.batch import Batch
from zoo.evaluation.likelihood import VALIDATION_IMAGES, image_nats, validation_bits_per_dim
from zoo.specs import ImageSpec

BY_CLASS = {
    "class folders": np.repeat(np.arange(4), 300),
    "labels in turn": np.arange(1200) % 4,
    "unequal classes": np.repeat(np.arange(4), [900, 150, 100, 50]),
}


def data_of(labels: np.ndarray) -> Dataset:
    images = (10 * labels).astype(np.uint8)[:, None, None, None].repeat(2, 2).repeat(2, 3)
    split = ResidentSplit(images, labels)
    spec = ImageSpec(1, 2, 4, class_names=tuple("abcd"))
    splits = {"train": split, "validation": split, "test": split}
    return Dataset("classes", spec, splits, DataConfig())


def nats_of(batch: Batch) -> torch.Tensor:
    """One nat for each step of a class."""
    return batch.levels[:, 0, 0, 0].double() / 10


MODEL: Any = SimpleNamespace(
    name="classes",
    device=torch.device("cpu"),
    scores=True,
    score=nats_of,
    likelihood=lambda: None,
)


@pytest.mark.parametrize("labels", BY_CLASS.values(), ids=BY_CLASS)
def test_validation_during_training_has_every_class(labels: np.ndarray) -> None:
    assert len(labels) > VALIDATION_IMAGES
    value = validation_bits_per_dim(MODEL, data_of(labels), seed=0)
    assert value == pytest.approx(labels.mean() / (4 * math.log(2)), rel=0.01)


@pytest.mark.parametrize("labels", BY_CLASS.values(), ids=BY_CLASS)
def test_a_part_of_a_split_has_every_class(labels: np.ndarray) -> None:
    data = data_of(labels)
    nats = torch.cat([*image_nats(MODEL, data, "test", 0, nats_of, 120)]).numpy()
    shares = np.bincount(labels, minlength=4) / len(labels)
    np.testing.assert_allclose(np.bincount(nats.astype(int), minlength=4), 120 * shares, atol=1)
    everything = torch.cat([*image_nats(MODEL, data, "test", 0, nats_of)]).numpy()
    np.testing.assert_array_equal(everything, labels)


def test_an_image_without_a_finite_value_is_named_by_its_place_in_the_split() -> None:
    def count(batch: Batch) -> torch.Tensor:
        nats = nats_of(batch)
        nats[nats == 3] = torch.nan
        return nats

    with pytest.raises(Exception, match=r"^image 910 of the test split has no finite likelihood"):
        list(image_nats(MODEL, data_of(BY_CLASS["class folders"]), "test", 0, count, 60))
