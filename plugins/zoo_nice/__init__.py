"""NICE: non-linear independent components estimation (Dinh, Krueger and Bengio 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ImageSpec, ModelSpec, hookimpl
from zoo_nice.config import PRESETS, NICEConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo import Config
    from zoo.data.batch import Batch
    from zoo.objectives import Objective
    from zoo_nice.model import NICE


@hookimpl
def zoo_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="nice",
            family="flow",
            title="NICE: Non-linear Independent Components Estimation",
            paper="https://arxiv.org/abs/1410.8516",
            config=NICEConfig,
            presets=PRESETS,
            capabilities=("sample", "encode", "log_prob", "interpolate"),
            temperature=0.7,
            card="zoo_cards:nice.md",
        )
    ]


@hookimpl
def zoo_build(config: NICEConfig, image: ImageSpec) -> NICE:
    from zoo_nice.model import NICE

    return NICE(config, image)


@hookimpl
def zoo_train(network: NICE, config: Config) -> Objective:
    from zoo.flows import maximum_likelihood

    return maximum_likelihood(network, config.training)


@hookimpl
def zoo_sample(network: NICE, latents: Tensor, temperature: float) -> Tensor:
    return network.sample(latents, temperature)


@hookimpl
def zoo_encode(network: NICE, images: Tensor) -> dict[str, Tensor]:
    return network.encode(images)


@hookimpl
def zoo_score(network: NICE, batch: Batch) -> Tensor:
    from zoo.flows import nats

    return nats(network, batch)
