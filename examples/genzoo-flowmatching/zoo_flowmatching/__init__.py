"""Flow matching: generative modeling by regression on velocities (Lipman et al. 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zoo import Config, ImageSpec, ModelConfig, ModelSpec, Preset, UsageError, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.objectives import Objective
    from zoo_flowmatching.model import VelocityNet


class FlowMatchingConfig(ModelConfig):
    """What one can set of a flow matching model."""

    levels: Annotated[int, Field(ge=1, le=6, description="sizes of the U-Net, each half")] = 2
    depth: Annotated[int, Field(ge=1, le=16, description="blocks at each size, down and up")] = 1
    width: Annotated[
        int,
        Field(ge=8, le=1024, multiple_of=8, description="channels at full size, a multiple of 8"),
    ] = 32
    solver: Annotated[
        Literal["euler", "midpoint"],
        Field(description="of the equation; midpoint: two looks at the network a step"),
    ] = "midpoint"
    solver_steps: Annotated[
        int, Field(ge=1, le=1000, description="from noise to picture when sampling")
    ] = 10


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"levels": 2, "depth": 1, "width": 32},
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 2000,
            "batch_size": 64,
            "learning_rate": 2e-3,
            "warmup_steps": 50,
            "decay": "linear",
            "clip_norm": 1.0,
            "average": 0.995,
        },
    },
    "mnist": {
        "model": {"levels": 3, "depth": 1, "width": 32},
        "data": {"source": "mnist", "channels": 1},
        "training": {
            "epochs": 20.0,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "warmup_steps": 200,
            "decay": "linear",
            "clip_norm": 1.0,
            "average": 0.999,
        },
    },
}


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

    times = config.levels - 1
    if image.size % 2**times:
        raise UsageError(
            f"model.levels = {config.levels} halves a picture {times} times, which {image.size} "
            f"pixels a side cannot be: set levels lower, or data.size to a multiple of {2**times}"
        )
    return VelocityNet(config, image)


@hookimpl
def zoo_train(network: VelocityNet, config: Config) -> Objective:
    from zoo_flowmatching.objective import FlowMatching

    return FlowMatching(network, config.training)


@hookimpl
def zoo_sample(network: VelocityNet, latents: Tensor, temperature: float) -> Tensor:
    return ((network.flow(latents * temperature) + 1) / 2).clamp(0, 1)
