"""The benchmarked models: a preset with changed keys, on noise images in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.config.sections import Config
    from zoo.data.dataset import Dataset

IMAGES = 1024
"""Number of noise images."""

COMPILE = "training.compile"


@dataclass(frozen=True)
class Subject:
    """A model with a preset, and keys ``changed`` from it."""

    model: str
    preset: str
    changed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The preset with what is changed in model and data, as in ``cifar10, depth 8``."""
        changes = (
            f"{key.rpartition('.')[2].replace('_', ' ')} {value}"
            for key, value in self.changed.items()
            if not key.startswith("training.")
        )
        return ", ".join([self.preset, *changes])

    def with_changes(self, changes: Mapping[str, Any]) -> Subject:
        return replace(self, changed={**self.changed, **changes})

    def config(self, precision: str, batch: int) -> Config:
        """The configuration of a training on noise images, without compilation unless changed."""
        from zoo.api import host
        from zoo.config.resolve import preset_settings, setting_of, validate

        spec = host().spec(self.model)
        values = {
            "training.precision": precision,
            "training.batch_size": batch,
            "training.steps": 10**6,
        }
        if can_compile():
            values[COMPILE] = "off"
        settings = [
            setting_of(spec, key, value, key) for key, value in (values | {**self.changed}).items()
        ]
        limits = {"epochs", "steps"}
        preset = [
            setting for setting in preset_settings(spec, self.preset) if setting.key not in limits
        ]
        return validate(spec, [*preset, *settings])


def can_compile() -> bool:
    """Whether a training step can be compiled: whether the key exists."""
    from zoo.config.sections import TrainingConfig

    return COMPILE.partition(".")[2] in TrainingConfig.model_fields


def shape(config: Config) -> tuple[int, int, int]:
    """Channels, size and bits of the images; the digits are 8x8, in gray."""
    data = config.data
    return data.channels or 1, data.size or 8, data.bits


@cache
def noise_images(channels: int, size: int, bits: int = 8) -> Dataset:
    """Returns a dataset of uint8 noise in memory."""
    import numpy as np

    from zoo.config.sections import DataConfig
    from zoo.data.dataset import Dataset, ResidentSplit
    from zoo.specs import ImageSpec

    generator = np.random.default_rng(0)
    shape = (IMAGES, channels, size, size)
    images = generator.integers(0, 256, shape, dtype=np.uint8)
    split = ResidentSplit(images, np.full(IMAGES, -1))
    return Dataset("noise", ImageSpec(channels, size, 0, bits), {"train": split}, DataConfig())
