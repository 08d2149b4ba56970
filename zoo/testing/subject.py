"""The model under test: built, trained and loaded as users do."""

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
from zoo.data.preparation.prepare import MAX_PAD
from zoo.data.spread import spread_split
from zoo.errors import UsageError
from zoo.model import Model, build
from zoo.plugins.plugin import package_of
from zoo.run import Run, load_with, train
from zoo.sampling import latents
from zoo.sampling.seeding import HOOK, INITIALIZATION, SCORING, generator_for, seeded
from zoo.specs import ImageSpec, ModelConfig
from zoo.system.progress import Progress
from zoo.training.request import Request

if TYPE_CHECKING:
    from zoo.plugins.host import Host

DIGITS_SIZE = 8


class Subject:
    """A model of ``host`` with its configuration, on the embedded digits, padded to the size that
    the configuration asks for.

    ``run`` is the trained run, or None before training. All files are written to ``folder``.
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
        self.preset, self.user_settings = preset, settings
        self.steps, self.device, self.folder = steps, device, folder
        self.run: Run | None = None

    @property
    def module(self) -> object:
        """The plugin: a module, or any object."""
        return self.owner.plugin.module

    @property
    def module_name(self) -> str:
        """The name of the module that defines the plugin."""
        plugin = self.module
        if isinstance(plugin, ModuleType):
            return plugin.__name__
        return plugin.__module__ if isinstance(plugin, type) else type(plugin).__module__

    @property
    def package(self) -> str:
        return package_of(self.owner.plugin)

    # Configuration and data

    @cached_property
    def config(self) -> Config:
        return resolve(self.spec, self.preset, None, self.settings(steps=self.steps))

    def settings(self, **training: Any) -> list[Setting]:
        """Returns the user's settings, with the digits as data and ``training`` as limits."""
        data = resolve(self.spec, self.preset, None, self.user_settings).data
        if not any(setting.name == "training.precision" for setting in self.user_settings):
            training["precision"] = "fp32"
        overrides = {"data": _digits(data), "training": training}
        overridden = {f"training.{key}" for key in LIMITS}
        overridden |= {f"{name}.{key}" for name, values in overrides.items() for key in values}
        return [setting for setting in self.user_settings if setting.name not in overridden] + [
            Setting(section, key, value, "zoo check")
            for section, values in overrides.items()
            for key, value in values.items()
        ]

    @cached_property
    def data(self) -> Dataset:
        return open_data(self.config.data, seed=self.config.training.seed)

    @property
    def image(self) -> ImageSpec:
        return self.data.image_spec

    def batch(self, n: int) -> Batch:
        """Returns ``n`` training images, spread over the split."""
        split, _ = spread_split(self.data.splits["train"], n)
        return next(in_order(split, self.image, n, self.device))

    # Models

    def build(self, config: ModelConfig | None = None, image: ImageSpec | None = None) -> Model:
        """Builds the model with seeded random weights, in evaluation mode on the device; by default
        with the subject's own configuration and images."""
        with seeded(self.config.training.seed, INITIALIZATION, device=self.device):
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
        """The trained model, or the untrained one if training failed."""
        return self.built if self.run is None else self.run

    @property
    def trained(self) -> Run:
        """The finished run, for promises that need ``trains``."""
        assert self.run is not None
        return self.run

    def train(self, name: str, resume: bool = False, **training: Any) -> Run:
        """Trains into the folder ``name`` as ``zoo train`` does and returns the run."""
        settings, device = self.settings(**training), str(self.device)
        out = self.folder / name
        request = Request(self.name, self.preset, None, settings, out, resume, device)
        return train(self.host, request, Progress())

    def load(self, path: Path) -> Run:
        """Loads a run as ``zoo.load`` does, with another state of torch's global generator than at
        training, so that unsaved random state differs."""
        with seeded(1, INITIALIZATION, device=self.device):
            return load_with(self.host, path, str(self.device))

    # Calls of hooks

    def latents(self, model: Model, n: int, seed: int = 0) -> Tensor:
        """Returns latents ``[n, latent.size]`` of a seed, on the device."""
        z = latents.draw(n, model.latent.size, model.latent.distribution, seed)
        return torch.from_numpy(z).to(self.device)

    def labels(self, model: Model, n: int) -> Tensor | None:
        """Returns labels that cycle through the classes, int64 ``[n]``; None if unconditional."""
        classes = model.latent.classes
        return torch.arange(n, device=self.device) % classes if classes else None

    @torch.no_grad()
    def sample(
        self, model: Model, z: Tensor, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Calls ``zoo_sample`` in evaluation mode, by default with :meth:`labels`."""
        model.network.eval()
        labels = self.labels(model, len(z)) if labels is None else labels
        return model.sample_hook(z, temperature, labels)

    def encode(
        self, model: Model, images: Tensor, labels: Tensor | None = None
    ) -> Mapping[str, Tensor]:
        """Calls ``zoo_encode`` likewise; gradients are kept."""
        model.network.eval()
        labels = self.labels(model, len(images)) if labels is None else labels
        return model.encode_hook(images, labels)

    def score(self, model: Model, batch: Batch, seed: int = 0) -> Tensor:
        """Calls ``zoo_score`` with the noise of ``seed``; returns nats ``[N]``."""
        generator = generator_for(seed, SCORING, device=self.device)
        with seeded(seed, HOOK + SCORING, device=self.device):
            return model.score(batch.with_generator(generator))

    # Capabilities

    @property
    def encodes(self) -> bool:
        return "encode" in self.spec.capabilities

    @property
    def exact(self) -> bool:
        """Whether the model has an exact likelihood and an inverse."""
        return {"encode", "log_prob"} <= set(self.spec.capabilities)

    @property
    def scores(self) -> bool:
        return self.owner.has("zoo_score")


def _digits(config: DataConfig) -> dict[str, Any]:
    """Returns the data keys that pad the digits to the size of ``config``."""
    size = DIGITS_SIZE if config.size is None else config.size
    border = max(0, size - DIGITS_SIZE + 1) // 2
    if border > MAX_PAD:
        raise UsageError(
            f"data.size must be at most {DIGITS_SIZE + 2 * MAX_PAD} for zoo check, got {size}: "
            "use another --preset, or --set data.size=128"
        )
    pad = max(config.pad, border)
    return {"source": "digits", "size": size, "pad": pad, "resident_gib": 4.0}
