"""Configuration and presets of RealNVP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo import ModelConfig, Preset


class RealNVPConfig(ModelConfig):
    """Options of RealNVP, with the symbols of the paper."""

    scales: Annotated[
        int, Field(ge=1, le=8, description="scales of the flow, L: the size is halved L - 1 times")
    ] = 2
    blocks: Annotated[
        int, Field(ge=1, le=64, description="residual blocks in a coupling's network")
    ] = 2
    width: Annotated[
        int,
        Field(ge=1, le=4096, description="feature maps at full size, doubled at each squeeze"),
    ] = 32
    coupling: Annotated[
        Literal["additive", "affine"], Field(description="shift, or shift and scale")
    ] = "affine"
    checkerboard: Annotated[
        bool, Field(description="couplings of pixels before each squeeze; false: of channels only")
    ] = True
    permutation: Annotated[
        Literal["swap", "reverse", "shuffle"],
        Field(description="of the channels between couplings; swap: the halves swap roles"),
    ] = "swap"
    norm: Annotated[
        Literal["batch", "actnorm", "none"],
        Field(description="after each coupling; batch: also inside its network"),
    ] = "batch"
    momentum: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="rho, of running statistics in training; 0: those of the batch alone",
        ),
    ] = 0.0
    alpha: Annotated[
        float, Field(gt=0, lt=0.5, description="images x become logit(alpha + (1 - 2 alpha) x)")
    ] = 0.05
    scale_penalty: Annotated[
        float,
        Field(ge=0, le=1, description="L2 penalty on the scales of weight normalization, in nats"),
    ] = 5e-5
    memory: Annotated[
        Literal["standard", "reversible"],
        Field(description="reversible: recompute activations; memory does not grow with couplings"),
    ] = "standard"


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"scales": 2, "blocks": 2, "width": 32},
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 600,
            "validate_every": 50,
            "batch_size": 32,
            "learning_rate": 2e-3,
            "warmup_steps": 50,
            "decay": "linear",
            "clip_norm": 1.0,
            "ema_decay": 0.99,
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
            "ema_decay": 0.999,
        },
    },
    "cifar10": {
        "model": {"scales": 2, "blocks": 8, "width": 64},
        "data": {"source": "cifar10", "size": 32, "channels": 3, "flip": True},
        "training": {
            "epochs": 100.0,
            "batch_size": 64,
            "learning_rate": 1e-3,
            # The official code clips the gradient of nats at 100; of bits/dim, 100 / (3072 log 2).
            "clip_norm": 0.047,
        },
    },
}
