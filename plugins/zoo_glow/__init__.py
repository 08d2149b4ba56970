"""Glow: generative flow with invertible 1x1 convolutions (Kingma and Dhariwal 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ImageSpec, ModelSpec, UsageError, hookimpl
from zoo_glow.config import PRESETS, GlowConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo import Config
    from zoo.data.batch import Batch
    from zoo.objectives import Objective
    from zoo_glow.model import Glow


@hookimpl
def zoo_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="glow",
            family="flow",
            title="Glow: Generative Flow with Invertible 1x1 Convolutions",
            paper="https://arxiv.org/abs/1807.03039",
            config=GlowConfig,
            presets=PRESETS,
            capabilities=("sample", "encode", "log_prob", "interpolate"),
            temperature=0.7,
            card="zoo_cards:glow.md",
        )
    ]


@hookimpl
def zoo_build(config: GlowConfig, image: ImageSpec) -> Glow:
    import torch

    from zoo_glow.model import Glow

    if image.size % 2**config.levels:
        fix = ", or lower model.levels" if config.levels > 1 else ""
        raise UsageError(
            f"model.levels = {config.levels} needs data.size to be a multiple of "
            f"{2**config.levels}, got {image.size}: change data.size{fix}"
        )
    if config.conditional and not image.classes:
        raise UsageError("model.conditional = true needs data with labels, and these have none")
    network = Glow(config, image)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@hookimpl
def zoo_train(network: Glow, config: Config) -> Objective:
    from zoo.flows import maximum_likelihood

    return maximum_likelihood(network, config.training, labels=True)


@hookimpl
def zoo_sample(network: Glow, latents: Tensor, temperature: float, labels: Tensor | None) -> Tensor:
    return network.sample(latents, temperature, labels)


@hookimpl
def zoo_encode(network: Glow, images: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    return network.encode(images, labels)


@hookimpl
def zoo_score(network: Glow, batch: Batch) -> Tensor:
    from zoo.flows import nats

    return nats(network, batch, labels=True)
