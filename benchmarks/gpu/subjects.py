"""Networks to train: those of the presets, smaller ones for a trial run, on images of noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from zoo.api import host
from zoo.config.resolve import preset_settings, setting_of, validate
from zoo.config.sections import Config
from zoo.data.dataset import Dataset

COUNT = 4096


@dataclass(frozen=True)
class Subject:
    """A model by a preset with ``changed`` keys, at ``batches``; ``peer`` is what it is measured
    beside: ``"normflows"``, or ``"plain"``, a loop without genzoo's trainer."""

    model: str
    preset: str
    batches: tuple[int, ...]
    peer: str = "plain"
    changed: dict[str, Any] = field(default_factory=dict)

    def config(self, precision: str, batch: int) -> Config:
        spec = host().spec(self.model)
        wanted = self.changed | {
            "training.precision": precision,
            "training.batch_size": batch,
            "training.steps": 10**6,
        }
        given = [setting_of(spec, key, value, key) for key, value in wanted.items()]
        limits = {"epochs", "steps"}
        below = [one for one in preset_settings(spec, self.preset) if one.key not in limits]
        return validate(spec, [*below, *given])


GLOW = {"permutation": "lu"}
"""Beside the preset: normflows' own default of the 1x1 convolution."""

FULL = (
    Subject("glow", "cifar10", (64, 128, 256, 512), "normflows", GLOW),
    Subject("realnvp", "cifar10", (64, 256)),
    Subject("nice", "mnist", (64, 256)),
    Subject("vae", "cifar10", (64, 256)),
    Subject("dcgan", "cifar10", (64, 256)),
    Subject("sngan", "cifar10", (64, 256)),
)

QUICK = (
    Subject("glow", "cifar10", (4, 8), "normflows", GLOW | {"depth": 2, "width": 32}),
    Subject("realnvp", "cifar10", (8,), changed={"blocks": 1, "width": 8}),
    Subject("nice", "mnist", (8,), changed={"width": 64}),
    Subject("vae", "cifar10", (8,), changed={"width": 8, "latent": 16, "depth": 1}),
    Subject("dcgan", "cifar10", (8,), changed={"width": 16, "critic_width": 16}),
    Subject("sngan", "cifar10", (8,), changed={"width": 8, "critic_width": 8}),
)
"""The same models small: to see that everything runs, and nothing of how fast."""


@cache
def noise_images(channels: int, size: int) -> Dataset:
    """Noise, uint8, as a data set in memory."""
    from zoo.data.dataset import ResidentSplit
    from zoo.specs import ImageSpec

    rng = np.random.default_rng(0)
    shape = (COUNT, channels, size, size)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    split = ResidentSplit(images, np.full(COUNT, -1))
    return Dataset("noise", ImageSpec(channels, size, 0, 8), {"train": split})
