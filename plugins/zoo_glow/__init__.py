"""Glow: generative flow with invertible 1x1 convolutions (Kingma and Dhariwal 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zoo import Config, ImageSpec, ModelConfig, ModelSpec, Preset, UsageError, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.data.batch import Batch
    from zoo.objectives import Objective
    from zoo_glow.model import Glow


class GlowConfig(ModelConfig):
    """What one can set of a Glow; symbols are the paper's."""

    levels: Annotated[int, Field(ge=1, le=8, description="levels of the multi-scale flow, L")] = 3
    depth: Annotated[int, Field(ge=1, le=64, description="steps of flow a level, K")] = 8
    width: Annotated[
        int, Field(ge=1, le=4096, description="channels inside a coupling's network")
    ] = 64
    permutation: Annotated[
        Literal["reverse", "shuffle", "1x1", "lu"],
        Field(description="of channels between couplings; lu: the 1x1 convolution as P L U"),
    ] = "lu"
    coupling: Annotated[
        Literal["additive", "affine"], Field(description="shift, or shift and scale")
    ] = "affine"
    scale: Annotated[
        Literal["sigmoid", "tanh"],
        Field(description="of an affine coupling; sigmoid: official, tanh: bounded below too"),
    ] = "tanh"
    actnorm: Annotated[
        Literal["data", "zero"], Field(description="first values from a batch, or the identity")
    ] = "data"
    conditional: Annotated[
        bool, Field(description="a top prior for each class of the data, p(x | y)")
    ] = False
    memory: Annotated[
        Literal["standard", "reversible"],
        Field(description="reversible: compute activations again, memory does not grow with K"),
    ] = "standard"


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"levels": 2, "depth": 8, "width": 64},
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 1500,
            "batch_size": 32,
            "learning_rate": 4e-3,
            "warmup_steps": 50,
            "decay": "linear",
            "clip_norm": 1.0,
            "average": 0.99,
        },
    },
    "mnist": {
        "model": {"levels": 3, "depth": 8, "width": 64},
        "data": {"source": "mnist", "size": 32, "pad": 2, "channels": 1},
        "training": {
            "epochs": 20.0,
            "batch_size": 64,
            "learning_rate": 4e-3,
            "warmup_steps": 200,
            "decay": "linear",
            "clip_norm": 1.0,
            "average": 0.999,
        },
    },
    "cifar10": {
        "model": {"levels": 3, "depth": 32, "width": 512, "permutation": "1x1", "scale": "sigmoid"},
        "data": {"source": "cifar10", "size": 32, "channels": 3, "flip": True},
        "training": {
            "epochs": 1000.0,
            "batch_size": 512,
            "optimizer": "adamax",
            "learning_rate": 1e-3,
            "warmup_steps": 977,
            "average": 0.999,
        },
    },
    "celebahq256": {
        "model": {
            "levels": 6,
            "depth": 32,
            "width": 512,
            "permutation": "1x1",
            "coupling": "additive",
            "memory": "reversible",
        },
        "data": {"source": "celebahq256", "size": 256, "channels": 3, "bits": 5, "flip": True},
        "training": {
            "epochs": 1000.0,
            "batch_size": 40,
            "optimizer": "adamax",
            "learning_rate": 1e-3,
            "warmup_steps": 7500,
            "average": 0.999,
        },
    },
    "faces64": {
        "model": {"levels": 3, "depth": 10, "width": 512},
        "data": {"source": "celeba", "size": 64, "channels": 3, "bits": 5, "flip": True},
        "training": {
            "epochs": 20.0,
            "batch_size": 64,
            "optimizer": "adamax",
            "learning_rate": 1e-3,
            "warmup_steps": 1000,
            "clip_norm": 1.0,
            "average": 0.999,
        },
    },
}


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
        lower = "levels lower, or " if config.levels > 1 else ""
        raise UsageError(
            f"model.levels = {config.levels} halves a picture {config.levels} times, which "
            f"{image.size} pixels a side cannot be: set {lower}data.size to a multiple of "
            f"{2**config.levels}"
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
    from zoo.data.quantise import from_unit

    return from_unit(network.inverse(latents * temperature, labels), network.image.bits)


@hookimpl
def zoo_encode(network: Glow, images: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    from zoo.data.quantise import to_unit

    z, log_prob = network(to_unit(images, network.image.bits), labels)
    return {"z": z, "log_prob": log_prob}


@hookimpl
def zoo_score(network: Glow, batch: Batch) -> Tensor:
    from zoo.flows import nats

    return nats(network, batch, labels=True)
