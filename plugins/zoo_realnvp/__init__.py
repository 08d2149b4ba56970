"""RealNVP: density estimation using real-valued non-volume preserving transformations (Dinh,
Sohl-Dickstein and Bengio 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zoo import Config, ImageSpec, ModelConfig, ModelSpec, Preset, UsageError, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.data.batch import Batch
    from zoo.objectives import Objective
    from zoo_realnvp.model import RealNVP


class RealNVPConfig(ModelConfig):
    """What one can set of a RealNVP; symbols are the paper's."""

    scales: Annotated[
        int, Field(ge=1, le=8, description="scales of the flow, L: the side is halved L - 1 times")
    ] = 2
    blocks: Annotated[
        int, Field(ge=1, le=64, description="residual blocks in a coupling's network")
    ] = 2
    width: Annotated[
        int,
        Field(ge=1, le=4096, description="feature maps at full size; each squeeze doubles them"),
    ] = 32
    coupling: Annotated[
        Literal["additive", "affine"], Field(description="shift, or shift and scale")
    ] = "affine"
    checkerboard: Annotated[
        bool, Field(description="couplings of pixels before each squeeze; false: channels alone")
    ] = True
    permutation: Annotated[
        Literal["swap", "reverse", "shuffle"],
        Field(description="of channels between couplings; swap: the halves take turns"),
    ] = "swap"
    norm: Annotated[
        Literal["batch", "actnorm", "none"],
        Field(description="behind each coupling; batch: inside its network too"),
    ] = "batch"
    momentum: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="rho, of running batch statistics in training; 0: the batch's own",
        ),
    ] = 0.0
    alpha: Annotated[
        float, Field(gt=0, lt=0.5, description="pictures become logit(alpha + (1 - 2 alpha) x)")
    ] = 0.05
    scale_penalty: Annotated[
        float, Field(ge=0, le=1, description="L2, in nats, on the scales of weight normalisation")
    ] = 5e-5


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"scales": 2, "blocks": 2, "width": 32},
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 600,
            "batch_size": 32,
            "learning_rate": 2e-3,
            "warmup_steps": 50,
            "decay": "linear",
            "clip_norm": 1.0,
            "average": 0.99,
        },
    },
    "mnist": {
        "model": {"scales": 3, "blocks": 1, "width": 16},
        "data": {"source": "mnist", "size": 28, "channels": 1},
        "training": {
            "epochs": 20.0,
            "batch_size": 32,
            "learning_rate": 3e-3,
            "warmup_steps": 100,
            "decay": "linear",
            "clip_norm": 1.0,
            "average": 0.999,
        },
    },
    "cifar10": {
        "model": {"scales": 2, "blocks": 8, "width": 64},
        "data": {"source": "cifar10", "size": 32, "channels": 3, "flip": True},
        "training": {
            "epochs": 100.0,
            "batch_size": 64,
            "learning_rate": 1e-3,
            # The official code clips at 100 the gradient of nats: of bits/dim, 100 / (3072 log 2).
            "clip_norm": 0.047,
        },
    },
}


@hookimpl
def zoo_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="realnvp",
            family="flow",
            title="RealNVP: Density Estimation Using Real NVP",
            paper="https://arxiv.org/abs/1605.08803",
            config=RealNVPConfig,
            presets=PRESETS,
            capabilities=("sample", "encode", "log_prob", "interpolate"),
            temperature=0.8,
            card="zoo_cards:realnvp.md",
        )
    ]


@hookimpl
def zoo_build(config: RealNVPConfig, image: ImageSpec) -> RealNVP:
    import torch

    from zoo_realnvp.model import RealNVP

    halved = config.scales - 1 if config.checkerboard else config.scales
    if image.size % 2**halved:
        way = "scales lower" if config.scales > 1 else "checkerboard to true"
        raise UsageError(
            f"model.scales = {config.scales} halves a picture {halved} times, which "
            f"{image.size} pixels a side cannot be: set {way}, or data.size to a multiple of "
            f"{2**halved}"
        )
    network = RealNVP(config, image)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@hookimpl
def zoo_train(network: RealNVP, config: Config) -> Objective:
    from zoo.flows import maximum_likelihood
    from zoo_realnvp.penalty import with_penalised_scales

    assert isinstance(config.model, RealNVPConfig)
    groups = with_penalised_scales(network, config.model.scale_penalty, config.training)
    return maximum_likelihood(network, config.training, parameters=groups)


@hookimpl
def zoo_sample(network: RealNVP, latents: Tensor, temperature: float) -> Tensor:
    from zoo.data.quantise import from_unit

    return from_unit(network.inverse(latents * temperature), network.image.bits)


@hookimpl
def zoo_encode(network: RealNVP, images: Tensor) -> dict[str, Tensor]:
    from zoo.data.quantise import to_unit

    z, log_prob = network(to_unit(images, network.image.bits))
    return {"z": z, "log_prob": log_prob}


@hookimpl
def zoo_score(network: RealNVP, batch: Batch) -> Tensor:
    from zoo.flows import nats

    return nats(network, batch)
