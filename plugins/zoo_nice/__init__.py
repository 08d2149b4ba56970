"""NICE: non-linear independent components estimation (Dinh, Krueger and Bengio 2015)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zoo import Config, ImageSpec, ModelConfig, ModelSpec, Preset, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.data.batch import Batch
    from zoo.objectives import Objective
    from zoo_nice.model import NICE


class NICEConfig(ModelConfig):
    """What one can set of a NICE; symbols are the paper's."""

    couplings: Annotated[int, Field(ge=2, le=64, description="coupling layers")] = 4
    width: Annotated[
        int, Field(ge=1, le=16384, description="units in a hidden layer of a coupling's network, m")
    ] = 1000
    depth: Annotated[
        int, Field(ge=1, le=32, description="hidden layers of a coupling's network, m")
    ] = 5
    split: Annotated[
        Literal["odd-even", "half"],
        Field(description="of a picture's numbers in two; odd-even: the paper's"),
    ] = "odd-even"
    permutation: Annotated[
        Literal["alternate", "shuffle", "1x1", "lu"],
        Field(description="between couplings; alternate: halves change roles, the paper's"),
    ] = "alternate"
    coupling: Annotated[
        Literal["additive", "affine"],
        Field(description="shift, the paper's, or shift and scale"),
    ] = "additive"
    scaling: Annotated[
        Literal["data", "zero"],
        Field(description="first scales, and units of shifts: from a batch, or 1, the paper's"),
    ] = "data"
    prior: Annotated[Literal["logistic", "normal"], Field(description="of every latent, p_H")] = (
        "logistic"
    )


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"couplings": 6, "width": 256, "depth": 2},
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 2000,
            "batch_size": 64,
            "learning_rate": 2e-3,
            "warmup_steps": 50,
            "weight_decay": 2e-4,
            "decay": "linear",
            "clip_norm": 1.0,
            "average": 0.99,
        },
    },
    "mnist": {
        "model": {"width": 400, "depth": 2},
        "data": {"source": "mnist", "size": 28, "channels": 1},
        "training": {
            "epochs": 50.0,
            "batch_size": 100,
            "learning_rate": 2e-3,
            "warmup_steps": 100,
            "weight_decay": 1e-5,
            "decay": "linear",
            "clip_norm": 1.0,
            "average": 0.999,
        },
    },
    # The paper's (section 5.1), on MNIST. Its beta2 = 0.01 is 1 - beta2 as Adam is written today.
    # Its epsilon = 1e-4 stands beside gradients of the nats of a picture, ours beside those of bits
    # a dimension, which are 784 log 2 times smaller. It names no batch size; its official code has
    # 200.
    "paper": {
        "model": {"scaling": "zero"},
        "data": {"source": "mnist", "size": 28, "channels": 1},
        "training": {
            "epochs": 1500.0,
            "batch_size": 200,
            "learning_rate": 1e-3,
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-4 / (784 * math.log(2)),
        },
    },
}


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
    from zoo.data.quantise import from_unit

    return from_unit(network.inverse(latents * temperature), network.image.bits)


@hookimpl
def zoo_encode(network: NICE, images: Tensor) -> dict[str, Tensor]:
    from zoo.data.quantise import to_unit

    z, log_prob = network(to_unit(images, network.image.bits))
    return {"z": z, "log_prob": log_prob}


@hookimpl
def zoo_score(network: NICE, batch: Batch) -> Tensor:
    from zoo.flows import nats

    return nats(network, batch)
