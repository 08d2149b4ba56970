"""A model under examination: built, trained and loaded through the core's own doors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo.config.resolve import Setting, resolve
from zoo.config.sections import LIMITS, Config, DataConfig
from zoo.data import Dataset, open_data
from zoo.data.batch import Batch
from zoo.data.batches import in_order
from zoo.errors import UsageError
from zoo.model import Model, build
from zoo.plugins.plugin import package_of
from zoo.run import Run, load_with, train
from zoo.sampling import latents
from zoo.sampling.seeding import WEIGHTS, seed_torch
from zoo.specs import ImageSpec, ModelConfig
from zoo.system.progress import Progress
from zoo.training.request import Request

if TYPE_CHECKING:
    from zoo.plugins.host import Host

DIGITS_SIZE = 8
LARGEST_PAD = 64
"""The bound of data.pad."""


class Subject:
    """A model of ``host`` with its configuration, on pictures that are always there: the embedded
    digits, with a black border to the size that the configuration asks for.

    ``run`` is the trained one, once there is one; what is written lies in ``folder``.
    """

    def __init__(
        self,
        host: Host,
        model: str,
        preset: str | None,
        settings: Sequence[Setting],
        steps: int,
        device: torch.device,
        folder: Path,
    ) -> None:
        self.host, self.owner = host, host.owner(model)
        self.spec, self.name = self.owner.spec, model
        self.preset, self.given = preset, settings
        self.steps, self.device, self.folder = steps, device, folder
        self.run: Run | None = None

    @property
    def module(self) -> object:
        """The plugin: a module, or any object."""
        return self.owner.plugin.module

    @property
    def module_name(self) -> str:
        """The module that one imports to have the plugin."""
        plugin = self.module
        if isinstance(plugin, ModuleType):
            return plugin.__name__
        return plugin.__module__ if isinstance(plugin, type) else type(plugin).__module__

    @property
    def package(self) -> str:
        return package_of(self.owner.plugin)

    # Configuration and pictures

    @cached_property
    def config(self) -> Config:
        return resolve(self.spec, self.preset, None, self.settings(steps=self.steps))

    def settings(self, **training: Any) -> list[Setting]:
        """What was given, with the digits as data and ``training`` as the limits of a run."""
        asked = resolve(self.spec, self.preset, None, self.given).data
        if not any(setting.name == "training.precision" for setting in self.given):
            training["precision"] = "fp32"
        ours = {"data": _digits(asked), "training": training}
        taken = {f"training.{key}" for key in LIMITS}
        taken |= {f"{section}.{key}" for section, values in ours.items() for key in values}
        return [setting for setting in self.given if setting.name not in taken] + [
            Setting(section, key, value, "zoo check")
            for section, values in ours.items()
            for key, value in values.items()
        ]

    @cached_property
    def data(self) -> Dataset:
        return open_data(self.config.data)

    @property
    def image(self) -> ImageSpec:
        return self.data.image_spec

    def batch(self, n: int) -> Batch:
        """The first ``n`` training pictures."""
        split = self.data.splits["train"]
        return next(in_order(split, self.image, n, self.device))

    # Models

    def build(self, config: ModelConfig | None = None, image: ImageSpec | None = None) -> Model:
        """A model with random weights, always the same, in evaluation mode on the device; by
        default of the subject's own configuration and images."""
        seed_torch(self.config.training.seed, WEIGHTS)
        model = build(
            self.owner,
            self.config.model if config is None else config,
            self.image if image is None else image,
            self.device,
        )
        model.network.to(self.device).eval()
        return model

    @cached_property
    def built(self) -> Model:
        return self.build()

    @property
    def model(self) -> Model:
        """The trained model, or the built one if training failed."""
        return self.built if self.run is None else self.run

    @property
    def trained(self) -> Run:
        """The finished run; only for promises that need one."""
        assert self.run is not None
        return self.run

    def train(self, name: str, resume: bool = False, **training: Any) -> Run:
        """Train in the folder ``name`` as ``zoo train`` does, and return the run."""
        settings, device = self.settings(**training), str(self.device)
        out = self.folder / name
        request = Request(self.name, self.preset, None, settings, out, resume, device)
        return train(self.host, request, Progress())

    def load(self, path: Path) -> Run:
        """The run in a folder, as ``zoo.load`` gives it; torch's generator stands elsewhere than
        when the run began, so that what is drawn and not saved is another."""
        torch.manual_seed(1)
        return load_with(self.host, path, str(self.device))

    # Calls of hooks

    def latents(self, model: Model, n: int, seed: int = 0) -> Tensor:
        """Latents ``[n, latent.size]`` of a seed, on the device."""
        z = latents.draw(n, model.latent.size, model.latent.distribution, seed)
        return torch.from_numpy(z).to(self.device)

    def labels(self, model: Model, n: int) -> Tensor | None:
        """The classes in turn, int64 ``[n]``; None for an unconditional model."""
        classes = model.latent.classes
        return torch.arange(n, device=self.device) % classes if classes else None

    @torch.no_grad()
    def sample(
        self, model: Model, z: Tensor, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """``zoo_sample`` in evaluation mode, of the classes in turn by default."""
        model.network.eval()
        labels = self.labels(model, len(z)) if labels is None else labels
        return model.sample_hook(z, temperature, labels)

    def encode(
        self, model: Model, images: Tensor, labels: Tensor | None = None
    ) -> Mapping[str, Tensor]:
        """``zoo_encode`` likewise; gradients are kept."""
        model.network.eval()
        labels = self.labels(model, len(images)) if labels is None else labels
        return model.encode_hook(images, labels)

    def score(self, model: Model, batch: Batch, seed: int = 0) -> Tensor:
        """``zoo_score``, nats ``[N]``, with the random numbers of ``seed``."""
        torch.manual_seed(seed)
        return model.score(Batch(batch.levels, batch.labels, batch.bits))  # a batch keeps its noise

    # Capabilities

    @property
    def encodes(self) -> bool:
        return "encode" in self.spec.capabilities

    @property
    def exact(self) -> bool:
        """Whether it has an exact likelihood and an inverse."""
        return {"encode", "log_prob"} <= set(self.spec.capabilities)

    @property
    def scores(self) -> bool:
        return self.owner.has("zoo_score")


def _digits(asked: DataConfig) -> dict[str, Any]:
    """The keys of ``data`` that bring the digits to the size asked for."""
    size = DIGITS_SIZE if asked.size is None else asked.size
    border = max(0, size - DIGITS_SIZE + 1) // 2
    if border > LARGEST_PAD:
        raise UsageError(
            f"data.size is {size}, and the digits that models are checked on fill "
            f"{DIGITS_SIZE + 2 * LARGEST_PAD} pixels at most: take another --preset, or "
            "--set data.size=128"
        )
    pad = max(asked.pad, border)
    return {"source": "digits", "size": size, "pad": pad, "resident_gib": 4.0}
