"""A run: a trained model with its configuration, to sample from, encode with and score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.config.sections import Config, DataConfig
from zoo.errors import UsageError, ZooError
from zoo.plugins.formats import format_of
from zoo.plugins.host import Host
from zoo.report.card import write_card
from zoo.runs import folder as files
from zoo.runs.sources import publish, require_here
from zoo.runs.weights import load_weights, no_larger_than
from zoo.sampling import latents
from zoo.sampling.interpolation import walks
from zoo.sampling.labels import choose
from zoo.specs import Capability, ImageSpec, Latent, ModelSpec
from zoo.system.device import choose_device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.evaluation import Evaluation
    from zoo.evaluation.progress import Progress

Labels = int | Sequence[int] | Tensor | None


@dataclass(frozen=True)
class Run:
    """A run folder with its network on a device, in evaluation mode; ``source`` is the name that
    it was fetched by, None where the folder is a user's own."""

    path: Path
    model: str
    config: Config
    image: ImageSpec
    network: nn.Module
    device: torch.device
    host: Host
    source: str | None = None

    @property
    def spec(self) -> ModelSpec:
        return self.host.spec(self.model)

    @property
    def latent(self) -> Latent:
        """Size and distribution of the latents, and the classes that a sample can be asked for."""
        latent: Latent = self.network.latent  # type: ignore[assignment]
        return latent

    # From latents to pictures

    def sample(
        self, n: int = 64, temperature: float | None = None, seed: int = 0, labels: Labels = None
    ) -> Tensor:
        """``n`` pictures, float32 ``[n, C, H, W]`` in [0, 1], on the CPU.

        Picture i depends on (seed, i) alone. ``temperature`` scales the spread of the latents and
        defaults to the model's own; ``labels``, one class or one for each picture, are for
        conditional models, which otherwise go through the classes in turn.
        """
        return torch.from_numpy(self.pictures_of(self.network, n, seed, temperature, labels))

    def pictures_of(
        self,
        network: nn.Module,
        n: int,
        seed: int,
        temperature: float | None = None,
        labels: Labels = None,
    ) -> NDArray[np.float32]:
        """:meth:`sample` with the weights of ``network``, as an array."""
        return torch.cat([*self.draw(n, seed, temperature, labels, network)]).numpy()

    def draw(
        self,
        n: int,
        seed: int = 0,
        temperature: float | None = None,
        labels: Labels = None,
        network: nn.Module | None = None,
    ) -> Iterator[Tensor]:
        """:meth:`sample` a few pictures at a time, for more than fit into memory; with the weights
        of ``network``, where one is given."""
        if n < 1:
            raise UsageError(f"the number of pictures must be at least 1, got {n}")
        network = self.network if network is None else network
        chosen = self._labels(n, labels)
        size = _chunk(self.device)
        for first in range(0, n, size):
            z = latents.draw(size, self.latent.size, self.latent.distribution, seed, first)
            part = None if chosen is None else chosen[first : first + size]
            yield self._pictures(network, torch.from_numpy(z), temperature, part)[: n - first]

    def interpolate(
        self,
        rows: int = 8,
        columns: int = 8,
        temperature: float | None = None,
        seed: int = 0,
        labels: Labels = None,
    ) -> Tensor:
        """``rows`` walks between two samples in ``columns`` steps: ``[rows * columns, C, H, W]``.

        Row r goes from picture 2r of :meth:`sample` to picture 2r + 1, on the path of
        :func:`zoo.sampling.interpolation.walk`; ``labels`` are one class or one for each row.
        """
        self.require("interpolate")
        path = torch.from_numpy(walks(self.latent, rows, columns, seed))
        chosen = self._labels(rows, labels)
        if chosen is not None:
            chosen = chosen.repeat_interleave(columns)
        return self.decode(path, chosen, temperature)

    def decode(self, z: Tensor, labels: Labels = None, temperature: float | None = 1.0) -> Tensor:
        """Pictures ``[N, C, H, W]`` in [0, 1] of latents ``[N, latent.size]``."""
        if z.ndim != 2 or z.shape[1] != self.latent.size:
            raise UsageError(f"latents are [N, {self.latent.size}], got {list(z.shape)}")
        chosen = self._labels(len(z), labels)
        size = _chunk(self.device)
        parts = [
            self._pictures(
                self.network,
                z[i : i + size],
                temperature,
                None if chosen is None else chosen[i : i + size],
            )[: len(z) - i]
            for i in range(0, len(z), size)
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def _pictures(
        self, network: nn.Module, z: Tensor, temperature: float | None, labels: Tensor | None
    ) -> Tensor:
        # Every batch has one and the same size, filled up with zeros: a picture then comes out of
        # the same kernels whatever stands beside it, and is the same to the last bit.
        size = _chunk(self.device)
        z = torch.nn.functional.pad(z, (0, 0, 0, size - len(z)))
        if labels is not None:
            labels = torch.nn.functional.pad(labels, (0, size - len(labels))).to(self.device)
        training = network.training
        network.eval()
        try:
            images: Tensor = self.host.call(
                "zoo_sample",
                self.model,
                network=network,
                latents=z.to(self.device),
                temperature=self.spec.temperature if temperature is None else temperature,
                labels=labels,
            )
        finally:
            network.train(training)
        return images.float().cpu()

    # From pictures to latents and likelihoods

    def encode(self, images: Tensor, labels: Labels = None) -> Tensor:
        """Latents ``[N, latent.size]`` of pictures ``[N, C, H, W]`` in [0, 1]; for a model with an
        approximate posterior its mean."""
        self.require("encode")
        found = self._encode(images, labels)
        return found["z"] if "z" in found else found["mean"]

    def reconstruct(self, images: Tensor, labels: Labels = None) -> Tensor:
        """Pictures ``[N, C, H, W]`` in [0, 1] encoded and decoded again, the same shape."""
        return self.decode(self.encode(images, labels), labels)

    def log_prob(self, images: Tensor, labels: Labels = None) -> Tensor:
        """The log-density at pictures ``[N, C, H, W]`` in [0, 1], in nats, ``[N]``, counted in the
        unit cube where each pixel value is the centre of its bin."""
        if "log_prob" not in self.spec.capabilities:
            raise UsageError(f"{self.model} has no exact likelihood")
        return self._encode(images, labels)["log_prob"]

    def bits_per_dim(self, images: Tensor, labels: Labels = None, seed: int = 0) -> Tensor:
        """Bits per dimension of each discrete picture, ``[N]``, by one dequantisation draw; the
        pictures ``[N, C, H, W]`` in [0, 1] are first rounded to the model's levels."""
        from zoo.data.batch import Batch
        from zoo.evaluation.likelihood import score_batch
        from zoo.sampling.seeding import EVALUATION, seed_torch

        self._check(images)
        levels = (images * (2**self.image.bits - 1)).round().to(torch.uint8)
        batch = Batch(levels.to(self.device), self._labels(len(images), labels), self.image.bits)
        seed_torch(seed, EVALUATION)
        nats = score_batch(self, self.network, batch)
        return (nats / (self.image.dimensions * math.log(2))).cpu()

    def evaluate(
        self,
        data: str | None = None,
        split: str = "test",
        seed: int = 0,
        figures: Sequence[str] = (),
        *,
        pictures: int | None = None,
        samples: int | None = None,
        temperature: float | None = None,
        importance_samples: int = 100,
        features: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Evaluation:
        """Measure ``figures``, all that the model has if none is named, on a split of ``data``, by
        default of what the run was trained on, brought to the run's own size and channels.

        The other arguments are those of :class:`zoo.evaluation.measure.Plan`. Nothing is written:
        ``zoo evaluate`` keeps metrics.json.
        """
        from zoo.data import open_data
        from zoo.evaluation.measure import Plan, check_plan, evaluate
        from zoo.evaluation.progress import Progress

        plan = Plan(
            split,
            seed,
            tuple(figures),
            pictures,
            samples,
            temperature,
            importance_samples,
            features,
        )
        check_plan(self, plan)
        told = progress or Progress()
        opened = open_data(
            self.data_config(data), lambda done, total: told.show("reading pictures", done, total)
        )
        return evaluate(self, opened, plan, told)

    def as_images(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Pictures uint8 ``[N, C, H, W]``, 0 to 255, as the model sees them: float32 in [0, 1], of
        its own number of levels."""
        from zoo.data.quantize import to_images, to_levels

        return to_images(to_levels(torch.from_numpy(pictures), self.image.bits), self.image.bits)

    def data_config(self, source: str | None = None) -> DataConfig:
        """How to open ``source``, by default what the run was trained on, at the run's own size and
        channels."""
        source = source or files.read_data_facts(self.path).get("source", self.config.data.source)
        shape = {"size": self.image.size, "channels": self.image.channels}
        return self.config.data.model_copy(update={"source": source, **shape})

    def require(self, capability: Capability) -> None:
        """Raise UsageError, naming what the model can do, where it has not this capability."""
        can = self.spec.capabilities
        if capability not in can:
            raise UsageError(f"{self.model} cannot {capability}: it can {' and '.join(can)}")

    @torch.no_grad()
    def _encode(self, images: Tensor, labels: Labels) -> dict[str, Tensor]:
        self._check(images)
        chosen, size = self._labels(len(images), labels), _chunk(self.device)
        parts = [
            self.host.call(
                "zoo_encode",
                self.model,
                network=self.network,
                images=images[i : i + size].to(self.device),
                labels=None if chosen is None else chosen[i : i + size],
            )
            for i in range(0, max(len(images), 1), size)
        ]
        return {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}

    def _check(self, images: Tensor) -> None:
        want = (self.image.channels, self.image.size, self.image.size)
        if images.ndim != 4 or tuple(images.shape[1:]) != want or not images.is_floating_point():
            raise UsageError(
                f"pictures are float [N, {', '.join(map(str, want))}] in [0, 1], "
                f"got {images.dtype} {list(images.shape)}"
            )

    def _labels(self, n: int, labels: Labels) -> Tensor | None:
        given = labels.cpu().numpy() if isinstance(labels, Tensor) else labels
        chosen = choose(n, given, self.latent.classes, self.model)
        return None if chosen is None else torch.from_numpy(chosen).to(self.device)

    # The folder

    def export(self, format: str | None = None, **options: Any) -> Sequence[Any]:
        """Write the run in a format that a plugin offers, by default the only one that there is,
        and return what was written.

        ``options`` are the format's own; ``onnx`` takes those of :func:`zoo_onnx.export.export` and
        returns its :class:`zoo_onnx.export.Exported`. Raises UsageError for a format that there is
        not, ZooError where it has to be installed first and where the export fails.
        """
        return format_of(self.host, format).export(self, **options)

    def push(self, target: str, **options: Any) -> str:
        """Send the run to ``target``, ``"user/repo"``, and return the address; ``options`` are
        those of the plugin that knows the place (:func:`zoo_hub.push.push`)."""
        return publish(self, target, **options)

    def write_card(self) -> None:
        """Write README.md, the run's model card; one that stands keeps what a person wrote.

        Raises DamagedCard where that one is damaged.
        """
        require_here(self.source or self.path, "fetch it into one of yours to write a card")
        write_card(self.path, self.host)


def load_with(plugins: Host, path: Path, device: str = "auto") -> Run:
    """:func:`load` of a folder, with the plugins of a host of one's own."""
    values = files.read_config(path)
    config, image = files.parse_config(path, plugins, values)
    where = choose_device(device)
    if not (path / files.WEIGHTS).exists():
        raise ZooError(
            f"{path} has no weights yet: go on with zoo train {values['model']} --out {path} "
            "--resume"
        )
    with no_larger_than(path / files.WEIGHTS):
        network = plugins.call("zoo_build", values["model"], config=config.model, image=image)
    load_weights(network, path / files.WEIGHTS)
    network.to(where).eval()
    return Run(path, values["model"], config, image, network, where, plugins)


def _chunk(device: torch.device) -> int:
    return 16 if device.type == "cpu" else 64
