"""Classes of the samples that are compared with images: those of the images."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from zoo import Latent, ModelConfig, ModelSpec, hookimpl, hookspecs
from zoo.config.sections import DataConfig
from zoo.data import Dataset, ResidentSplit
from zoo.errors import ZooError
from zoo.evaluation import measure
from zoo.evaluation.conditioning import sample_labels
from zoo.evaluation.features import FeatureNetwork
from zoo.evaluation.measure import Plan, evaluate
from zoo.model import Model, build
from zoo.plugins.host import Host, Plugin
from zoo.specs import ImageSpec

MEANS, DEVIATION = (64, 192), 8.0
"""Of the pixels of both classes, of 0 to 255."""

IMAGE = ImageSpec(1, 2, 2, 8, ("day", "night"))


class Two(nn.Module):
    """Exactly the distribution of the images of each class, before rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.latent = Latent(4, "normal", 2)
        self.means = nn.Parameter(torch.tensor(MEANS) / 255)


class Sky:
    @hookimpl
    def zoo_models(self):
        return [
            ModelSpec(
                name="two", family="test", title="Two", paper="-", config=ModelConfig,
                presets={"any": {}},
            )
        ]  # fmt: skip

    @hookimpl
    def zoo_build(self, image):
        return Two()

    @hookimpl
    def zoo_train(self):
        raise NotImplementedError

    @hookimpl
    def zoo_sample(self, network, latents, temperature, labels):
        pixels = network.means[labels][:, None] + DEVIATION / 255 * temperature * latents
        return pixels.reshape(-1, 1, 2, 2)


@pytest.fixture(scope="module")
def two() -> Model:
    host = Host(hookspecs)
    assert host.add(Plugin("two", "tests", "0"), Sky()).cause is None
    return build(host.owner("two"), ModelConfig(), IMAGE, torch.device("cpu"))


@pytest.fixture(autouse=True)
def _pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The features are the pixels."""
    network = FeatureNetwork("pixels", "", "in the pixels", lambda images: images.flatten(1))
    monkeypatch.setattr(measure, "feature_network", lambda *_: network)


def data(labels: np.ndarray) -> Dataset:
    noise = DEVIATION * np.random.default_rng(0).standard_normal((len(labels), 1, 2, 2))
    pixels = np.array(MEANS)[labels][:, None, None, None] + noise
    split = ResidentSplit(pixels.round().clip(0, 255).astype(np.uint8), labels)
    return Dataset("sky", IMAGE, {"train": split, "test": split}, DataConfig())


def closed_form(p: float, q: float) -> float:
    """FID between mixtures with weights p and q of the second class, in four pixels."""
    gap, deviation = (MEANS[1] - MEANS[0]) / 255, DEVIATION / 255

    def along(weight: float) -> float:
        return math.sqrt(deviation**2 + 4 * weight * (1 - weight) * gap**2)

    return 4 * (gap * (p - q)) ** 2 + (along(p) - along(q)) ** 2


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
def test_samples_have_the_frequencies_of_the_images(two: Model, share: float) -> None:
    labels = np.zeros(2000, np.int64)
    labels[: round(2000 * share)] = 1
    images = data(np.random.default_rng(1).permutation(labels))
    plan = Plan(metrics=("fid",), features="pixels", samples=1500)
    fid = evaluate(two, images, plan, "")["fid"]
    assert fid.value == pytest.approx(0, abs=1e-3)
    assert "samples" in str(fid.protocol)
    assert "of the classes of these images" in str(fid.protocol)


def test_equal_frequencies_would_be_told_apart(two: Model) -> None:
    images = data(np.repeat([0, 1], [1900, 100]))
    unlabeled = replace(
        images,
        splits={
            name: replace(split, labels=np.full(2000, -1)) for name, split in images.splits.items()
        },
    )
    fid = evaluate(two, unlabeled, Plan(metrics=("fid",), features="pixels"), "")["fid"]
    assert fid.value == pytest.approx(closed_form(0.05, 0.5), rel=0.05)
    assert fid.value > 0.2
    assert "of each class in turn since the images have none" in str(fid.protocol)


def test_images_without_a_class_are_left_out(two: Model) -> None:
    labels = np.repeat([0, 1, -1], [900, 600, 500])
    metric = evaluate(two, data(labels), Plan(metrics=("fid",), features="pixels"), "")["fid"]
    assert (metric.protocol.images, metric.protocol.left_out) == (1500, 500)
    assert metric.value == pytest.approx(0, abs=1e-3)
    beyond = np.repeat([0, 1], [900, 600])
    images = data(beyond)
    split = replace(images.splits["test"], labels=np.where(beyond, 2, 0))
    images = replace(images, splits={"train": split, "test": split})
    metric = evaluate(two, images, Plan(metrics=("fid",), features="pixels"), "")["fid"]
    assert (metric.protocol.images, metric.protocol.left_out) == (900, 600)


@pytest.mark.parametrize("order", ["sorted", "in turn", "random"])
@pytest.mark.parametrize("count", [10, 333, 1000, 2500])
def test_shares_are_within_rounding_of_those_of_the_images(order: str, count: int) -> None:
    labels = np.repeat(np.arange(4), [700, 200, 75, 25])
    if order == "random":
        labels = np.random.default_rng(0).permutation(labels)
    elif order == "in turn":
        labels = np.arange(1000) % 4
    found = np.bincount(sample_labels(labels, count).values, minlength=4)
    expected = np.bincount(labels) * count / 1000
    assert found.sum() == count
    assert np.abs(found - expected).max() <= 1


def test_a_conditional_model_without_any_metric_is_an_error(two: Model) -> None:
    with pytest.raises(ZooError, match="two is conditional, and no image of the test split of sky"):
        evaluate(two, data(np.full(40, -1)), Plan(images=1, features="pixels"), "")
