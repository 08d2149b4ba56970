"""A plugin whose conditional model knows one gray level for each class, and images of such levels.

``palette`` learns the mean level of each class from the first batch; a sample has the level of its
class, and the score of an image of another level is large. ``mono`` is unconditional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from zoo import Latent, ModelConfig, ModelSpec, hookimpl
from zoo.objectives import MaximumLikelihood

SIZE = 4


class Palette(nn.Module):
    """``levels`` ``[classes]`` in [0, 1]; one class, which is none, for ``mono``."""

    def __init__(self, image, classes):
        super().__init__()
        self.latent = Latent(2, "normal", classes)
        self.shape = (image.channels, image.size, image.size)
        self.levels = nn.Parameter(torch.zeros(max(classes, 1)))

    def of(self, count, labels):
        return self.levels[0].expand(count) if labels is None else self.levels[labels]

    def forward(self, images, labels=None):
        return 1 + 1e4 * (images[:, 0, 1, 1] - self.of(len(images), labels)).square()


@hookimpl
def zoo_models():
    presets = {"any": {"training": {"steps": 2, "batch_size": 16, "learning_rate": 1e-6}}}
    common = {"family": "test", "paper": "-", "config": ModelConfig, "presets": presets}
    capabilities = ("sample", "encode", "interpolate")
    return [
        ModelSpec(name="palette", title="Palette", capabilities=capabilities, **common),
        ModelSpec(name="mono", title="Mono", capabilities=capabilities, **common),
    ]


@hookimpl
def zoo_build(model, image):
    return Palette(image, image.classes if model == "palette" else 0)


@hookimpl
def zoo_train(network, config):
    return MaximumLikelihood(network, config.training, score, initialize)


def labels_of(network, batch):
    return batch.labels if network.latent.classes else None


def initialize(network, batch):
    levels = batch.images[:, 0, 1, 1]
    for index in range(network.latent.classes):
        if (of_class := batch.labels == index).any():
            network.levels.data[index] = levels[of_class].mean()


def score(network, batch):
    return network(batch.images, labels_of(network, batch))


@hookimpl
def zoo_score(network, batch):
    return score(network, batch)


@hookimpl
def zoo_sample(network, latents, temperature, labels):
    levels = network.of(latents.shape[0], labels) + 0 * temperature * latents.sum(1)
    channels, height, width = network.shape
    return levels[:, None, None, None].repeat(1, channels, height, width)


@hookimpl
def zoo_encode(network, images, labels):
    levels = network.of(images.shape[0], labels)
    mean = torch.stack([levels, images.flatten(1).mean(1)], 1)
    return {"mean": mean, "log_variance": torch.zeros_like(mean)}


def gray(level: int, number: int) -> np.ndarray:
    """An image uint8 ``[4, 4]`` of a level, with its number in the first row."""
    pixels = np.full((SIZE, SIZE), level, np.uint8)
    pixels[0] = [number % 256, number // 256, 0, 255]
    return pixels


def write_folders(root: Path, counts: Mapping[str, int], levels: Mapping[str, int]) -> Path:
    """Writes ``counts[path]`` images into each folder ``path``, of the level of its last name."""
    number = 0
    for path, count in counts.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            level = levels[path.rpartition("/")[2]]
            Image.fromarray(gray(level, number)).save(root / path / f"{number:04}.png")
            number += 1
    return root


def write_arrays(path: Path, labels: Sequence[object], levels: Mapping[str, int]) -> Path:
    """Writes an ``.npz`` with an image for each label, of the level of its name."""
    images = np.stack([gray(levels[str(label)], i) for i, label in enumerate(labels)])
    np.savez(path, images=images, labels=np.array(labels))
    return path
