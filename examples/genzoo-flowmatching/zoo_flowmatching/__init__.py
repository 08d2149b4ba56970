"""Flow matching: generative modeling by regression on velocities (Lipman et al. 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import Config, ImageSpec, ModelSpec, UsageError, hookimpl
from zoo_flowmatching.config import PRESETS, FlowMatchingConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.objectives import Objective
    from zoo_flowmatching.model import VelocityNet


@hookimpl
def zoo_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="flowmatching",
            family="flow matching",
            title="Flow Matching for Generative Modeling",
            paper="https://arxiv.org/abs/2210.02747",
            config=FlowMatchingConfig,
            presets=PRESETS,
            temperature=0.9,
            card="zoo_flowmatching:card.md",
        )
    ]


@hookimpl
def zoo_build(config: FlowMatchingConfig, image: ImageSpec) -> VelocityNet:
    from zoo_flowmatching.model import VelocityNet

    divisor = 2 ** (config.levels - 1)
    if image.size % divisor:
        raise UsageError(
            f"model.levels = {config.levels} requires an image size divisible by {divisor}; "
            f"got {image.size}"
        )
    return VelocityNet(config, image)


@hookimpl
def zoo_train(network: VelocityNet, config: Config) -> Objective:
    from zoo_flowmatching.objective import FlowMatching

    return FlowMatching(network, config.training)


@hookimpl
def zoo_sample(network: VelocityNet, latents: Tensor, temperature: float) -> Tensor:
    return ((network.flow(latents * temperature) + 1) / 2).clamp(0, 1)
