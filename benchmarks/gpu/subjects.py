"""The benchmarked models: networks of the presets, or smaller ones as a test, on noise images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from zoo.api import host
from zoo.config.resolve import preset_settings, setting_of, validate
from zoo.config.sections import Config
from zoo.data.dataset import Dataset

IMAGES = 4096


@dataclass(frozen=True)
class Subject:
    """A model with a preset, ``changed`` keys and batch sizes ``batches``. genzoo is compared with
    ``peer``: ``"normflows"``, or ``"plain"``, a loop without genzoo's trainer."""

    model: str
    preset: str
    batches: tuple[int, ...]
    peer: str = "plain"
    changed: dict[str, Any] = field(default_factory=dict)

    def config(self, precision: str, batch: int) -> Config:
        spec = host().spec(self.model)
        values = self.changed | {
            "training.precision": precision,
            "training.batch_size": batch,
            "training.steps": 10**6,
        }
        settings = [setting_of(spec, key, value, key) for key, value in values.items()]
        limits = {"epochs", "steps"}
        preset = [
            setting for setting in preset_settings(spec, self.preset) if setting.key not in limits
        ]
        return validate(spec, [*preset, *settings])


GLOW = {"permutation": "lu"}
"""normflows' default of the 1x1 convolution."""

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
"""The same models, small: a test whose speeds mean nothing."""


@cache
def noise_images(channels: int, size: int) -> Dataset:
    """Returns a dataset of uint8 noise in memory."""
    from zoo.config.sections import DataConfig
    from zoo.data.dataset import ResidentSplit
    from zoo.specs import ImageSpec

    generator = np.random.default_rng(0)
    shape = (IMAGES, channels, size, size)
    images = generator.integers(0, 256, shape, dtype=np.uint8)
    split = ResidentSplit(images, np.full(IMAGES, -1))
    return Dataset("noise", ImageSpec(channels, size, 0, 8), {"train": split}, DataConfig())
