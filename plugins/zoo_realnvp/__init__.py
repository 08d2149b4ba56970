"""RealNVP: density estimation using real-valued non-volume preserving transformations (Dinh,
Sohl-Dickstein and Bengio 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ImageSpec, ModelSpec, UsageError, hookimpl
from zoo_realnvp.config import PRESETS, RealNVPConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo import Config
    from zoo.data.batch import Batch
    from zoo.objectives import Objective
    from zoo_realnvp.model import RealNVP


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
        fix = "lower model.scales" if config.scales > 1 else "set model.checkerboard to true"
        raise UsageError(
            f"model.scales = {config.scales} needs data.size to be a multiple of {2**halved}, got "
            f"{image.size}: change data.size, or {fix}"
        )
    network = RealNVP(config, image)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@hookimpl
def zoo_train(network: RealNVP, config: Config) -> Objective:
    from zoo.flows import maximum_likelihood
    from zoo_realnvp.penalty import with_penalized_scales

    assert isinstance(config.model, RealNVPConfig)
    groups = with_penalized_scales(network, config.model.scale_penalty, config.training)
    return maximum_likelihood(network, config.training, parameters=groups)


@hookimpl
def zoo_sample(network: RealNVP, latents: Tensor, temperature: float) -> Tensor:
    return network.sample(latents, temperature)


@hookimpl
def zoo_encode(network: RealNVP, images: Tensor) -> dict[str, Tensor]:
    return network.encode(images)


@hookimpl
def zoo_score(network: RealNVP, batch: Batch) -> Tensor:
    from zoo.flows import nats

    return nats(network, batch)
