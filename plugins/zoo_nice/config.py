"""Options and presets of NICE."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from zoo import ModelConfig, Preset


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
