"""A model: a network with its spec, its image spec, its device and the hooks of its plugin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from zoo.data.batch import Batch
from zoo.errors import UsageError, ZooError
from zoo.objectives.trainable import freeze
from zoo.plugins.owner import Owner
from zoo.sampling.checks import check_seed
from zoo.sampling.sampler import Sampler
from zoo.sampling.seeding import HOOK, SCORING, generator_for, seeded
from zoo.specs import Capability, Graph, ImageSpec, Labels, Latent, ModelConfig, ModelSpec
from zoo.system.torch_state import default_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.config.sections import Config
    from zoo.objectives.objective import Objective


@dataclass(frozen=True)
class Likelihood:
    """How the nats of a model's ``zoo_score`` are counted.

    ``method`` is part of a metric's protocol: "exact, without dequantization"; ``decoder``
    describes the distribution p(x | z), if there is one. For a bound that more samples tighten,
    ``importance_weighted(batch, samples)`` returns -log of the mean of ``samples`` importance
    weights of each image, in nats, ``[N]``.
    """

    method: str
    decoder: str = ""
    importance_weighted: Callable[[Batch, int], Tensor] | None = None


@dataclass(frozen=True, repr=False)
class Model(Sampler[Tensor]):
    """A network on a device with its spec and its plugin's hooks bound.

    ``sample``, ``interpolate``, ``decode``, ``encode``, ``reconstruct`` and ``log_prob`` run in
    evaluation mode without gradients and return tensors on the CPU; ``sample_hook`` and
    ``encode_hook`` are the plugin's own, traceable and differentiable.
    """

    spec: ModelSpec
    image_spec: ImageSpec
    network: nn.Module
    device: torch.device
    owner: Owner

    def __repr__(self) -> str:
        return f"Model({self._description()})"

    def _description(self) -> str:
        """Returns the model, its images, size and device in one line."""
        spec, labeled = self.image_spec, self.latent.classes
        parts = [self.name, f"{spec.channels}x{spec.size}x{spec.size}, {spec.bits} bits"]
        parts += [f"{labeled} classes"] if labeled else []
        count = sum(parameter.numel() for parameter in self.network.parameters())
        return ", ".join([*parts, f"{count:,} parameters", str(self.device)])

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def latent(self) -> Latent:
        """Size and distribution of the latents, and the number of classes."""
        latent: Latent = self.network.latent  # type: ignore[assignment]
        return latent

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty for an unconditional model, and for a run of format version 2
        or older."""
        names = self.image_spec.class_names
        return names if len(names) == self.latent.classes else ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.image_spec.channels, self.image_spec.size, self.image_spec.size

    @property
    def temperature(self) -> float:
        return self.spec.temperature

    @property
    def chunk(self) -> int:
        return 16 if self.device.type == "cpu" else 64

    def with_network(self, network: nn.Module) -> Self:
        """The same model with another network: its EMA, frozen, or a copy in float64."""
        return replace(self, network=network)

    def has(self, hook: str) -> bool:
        """Whether the model's plugin implements ``hook``."""
        return self.owner.has(hook)

    def require(self, capability: Capability) -> None:
        """Raises UsageError that lists the capabilities if ``capability`` is not among them."""
        self.spec.require(capability)

    # Hooks of the plugin

    def sample_hook(self, z: Tensor, temperature: Any, labels: Tensor | None = None) -> Tensor:
        """``zoo_sample``: images ``[N, C, H, W]`` in [0, 1] of latents ``[N, latent.size]``.

        ``temperature`` is a float or a scalar tensor, ``labels`` int64 ``[N]``.
        """
        images: Tensor = self.owner.call(
            "zoo_sample", network=self.network, latents=z, temperature=temperature, labels=labels
        )
        return images

    def encode_hook(self, images: Tensor, labels: Tensor | None = None) -> Mapping[str, Tensor]:
        """``zoo_encode``: named tensors of images ``[N, C, H, W]`` in [0, 1]."""
        encodings: Mapping[str, Tensor] = self.owner.call(
            "zoo_encode", network=self.network, images=images, labels=labels
        )
        return encodings

    @property
    def scores(self) -> bool:
        """Whether the model has a likelihood or a bound on it."""
        return self.has("zoo_score")

    @default_state()
    @torch.no_grad()
    def score(self, batch: Batch) -> Tensor:
        """Nats of each discrete image of a batch, ``[N]``, in evaluation mode.

        Raises ZooError for anything but one value per image.
        """
        training = self.network.training
        self.network.eval()
        try:
            nats: Tensor = self.owner.call("zoo_score", network=self.network, batch=batch)
        finally:
            self.network.train(training)
        return nats

    def likelihood(self) -> Likelihood | None:
        """How :meth:`score` counts; None if the plugin does not say."""
        if not self.has("zoo_likelihood"):
            return None
        likelihood = self.owner.call("zoo_likelihood", network=self.network)
        if not isinstance(likelihood, Likelihood):
            raise ZooError(
                f"zoo_likelihood of {self.name} must return a zoo.Likelihood, got {likelihood!r}"
            )
        return likelihood

    def graphs(self) -> Sequence[Graph] | None:
        """The plugin's own graphs; None if it leaves them to the core.

        Raises ZooError for anything but a list of :class:`zoo.Graph`.
        """
        if not self.has("zoo_graphs"):
            return None
        graphs = self.owner.call("zoo_graphs", network=self.network)
        if not isinstance(graphs, Sequence) or not all(isinstance(g, Graph) for g in graphs):
            raise ZooError(f"zoo_graphs of {self.name} must return a list of zoo.Graph")
        return graphs

    def objective(self, config: Config) -> Objective:
        """``zoo_train``: the objective that trains the network, but for the parameters that
        ``training.freeze`` names, which have no gradients from now on.

        Raises UsageError as :func:`zoo.objectives.trainable.freeze`.
        """
        freeze(self.network, config.training.freeze or ())
        objective: Objective = self.owner.call("zoo_train", network=self.network, config=config)
        return objective

    # Likelihood of images

    def bits_per_dim(self, images: Any, *, labels: Labels = None, seed: int = 0) -> Tensor:
        """Bits per dimension of discrete images, ``[N]``, with one dequantization noise per image.

        ``images`` ``[N, C, H, W]`` in [0, 1] are first rounded to the levels of the model. Raises
        UsageError for images of another shape or with values outside [0, 1].
        """
        images, seed = self.checked_images(images), check_seed(seed)
        levels = (images * (2**self.image_spec.bits - 1)).round().to(torch.uint8)
        classes = self._on_device(self.class_labels(len(images), labels))
        if not len(images):
            return torch.empty(0)
        generator = generator_for(seed, SCORING, device=self.device)
        bits = self.image_spec.bits
        batch = Batch(levels.to(self.device), classes, bits, generator=generator)
        with seeded(seed, HOOK + SCORING, device=self.device):
            nats = self.score(batch)
        return (nats / (self.image_spec.dimensions * math.log(2))).cpu()

    def as_images(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Returns pixels uint8 ``[N, C, H, W]``, 0 to 255, as images of the model's levels:
        float32 in [0, 1].

        Raises UsageError for another type or shape.
        """
        from zoo.data.quantize import to_images, to_levels

        levels = torch.as_tensor(pixels)
        if levels.dtype != torch.uint8 or tuple(levels.shape[1:]) != self.image_shape:
            raise UsageError(
                f"pixels are uint8 [N, {', '.join(map(str, self.image_shape))}], "
                f"got {pixels.dtype} {list(pixels.shape)}"
            )
        return to_images(to_levels(levels, self.image_spec.bits), self.image_spec.bits)

    # Primitives of the sampler

    @default_state()
    @torch.no_grad()
    def _generate(self, z: Tensor, temperature: float, labels: NDArray[np.int64] | None) -> Tensor:
        # All batches have one size, padded with zeros: an image is then computed by the same
        # kernels whatever its batch, and is equal to the last bit.
        n = len(z)
        z = nn.functional.pad(z, (0, 0, 0, self.chunk - n)).to(self.device)
        classes = self._on_device(labels)
        if classes is not None:
            classes = nn.functional.pad(classes, (0, self.chunk - n))
        training = self.network.training
        self.network.eval()
        try:
            images = self.sample_hook(z, temperature, classes)
        finally:
            self.network.train(training)
        return images.float().cpu()[:n]

    @default_state()
    @torch.no_grad()
    def _infer(self, images: Tensor, labels: NDArray[np.int64] | None) -> Mapping[str, Tensor]:
        images, classes, n = images.to(self.device), self._on_device(labels), len(images)
        if not n:  # networks need not take empty batches
            images = images.new_zeros(1, *self.image_shape)
            classes = None if classes is None else classes.new_zeros(1)
        encodings = self.encode_hook(images, classes)
        return {name: tensor.cpu()[:n] for name, tensor in encodings.items()}

    def _from_numpy(self, values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(values).to(self._dtype)

    def _as_floats(self, values: Any) -> Tensor:
        if isinstance(values, Tensor):
            if values.is_meta:
                raise UsageError("arrays on the device meta have no values: pass real ones")
            return values.detach().to(self._dtype)
        # A copy: torch takes neither read-only arrays nor reversed ones.
        return torch.from_numpy(np.array(values, np.float32, order="C")).to(self._dtype)

    @property
    def _dtype(self) -> torch.dtype:
        """The floating-point type of the network."""
        parameters = self.network.parameters()
        return next((p.dtype for p in parameters if p.is_floating_point()), torch.float32)

    def _concatenate(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts))

    def _on_device(self, labels: NDArray[np.int64] | None) -> Tensor | None:
        return None if labels is None else torch.from_numpy(labels).to(self.device)


def build(owner: Owner, config: ModelConfig, image_spec: ImageSpec, device: torch.device) -> Model:
    """Builds a model with random weights from torch's global generator; the network is not moved to
    ``device``.

    Raises UsageError for a configuration that does not fit ``image_spec``, and ZooError for
    anything but a module.
    """
    with default_state(gradients=True):
        network = owner.call("zoo_build", config=config, image=image_spec)
    if not isinstance(network, nn.Module):
        raise ZooError(f"zoo_build must return an nn.Module, got {type(network).__name__}")
    return Model(owner.spec, image_spec, network, device, owner)
