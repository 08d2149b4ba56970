"""Configuration and presets of NICE."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from zoo import ModelConfig, Preset


class NICEConfig(ModelConfig):
    """Options of NICE, with the symbols of the paper."""

    couplings: Annotated[int, Field(ge=2, le=64, description="coupling layers")] = 4
    width: Annotated[
        int, Field(ge=1, le=16384, description="units per hidden layer of a coupling's network m")
    ] = 1000
    depth: Annotated[
        int, Field(ge=1, le=32, description="hidden layers of a coupling's network m")
    ] = 5
    split: Annotated[
        Literal["odd-even", "half"],
        Field(description="of the image's values into two parts; odd-even: the paper's"),
    ] = "odd-even"
    permutation: Annotated[
        Literal["alternate", "shuffle", "1x1", "lu"],
        Field(description="between couplings; alternate: the parts swap roles, the paper's"),
    ] = "alternate"
    coupling: Annotated[
        Literal["additive", "affine"],
        Field(description="additive: shift, the paper's; affine: shift and scale"),
    ] = "additive"
    scaling: Annotated[
        Literal["data", "zero"],
        Field(description="initial scales and units of shifts: from a batch, or 1, the paper's"),
    ] = "data"
    prior: Annotated[Literal["logistic", "normal"], Field(description="of each latent, p_H")] = (
        "logistic"
    )
    memory: Annotated[
        Literal["standard", "reversible"],
        Field(description="reversible: recompute activations; memory does not grow with couplings"),
    ] = "standard"


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"couplings": 6, "width": 256, "depth": 2},
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 2000,
            "validate_every": 50,
            "batch_size": 64,
            "learning_rate": 2e-3,
            "warmup_steps": 50,
            "weight_decay": 2e-4,
            "decay": "linear",
            "clip_norm": 1.0,
            "ema_decay": 0.99,
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
            "ema_decay": 0.999,
        },
    },
    # The paper's, on MNIST (section 5.1). Its beta2 = 0.01 is 1 - beta2 in the usual notation. Its
    # epsilon = 1e-4 is for gradients of nats per image; gradients of bits/dim are 784 log 2 times
    # smaller. The paper states no batch size; 200 is that of its official code.
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
