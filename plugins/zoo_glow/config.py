"""Configuration and presets of Glow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo import ModelConfig, Preset


class GlowConfig(ModelConfig):
    """Options of Glow, with the symbols of the paper."""

    levels: Annotated[int, Field(ge=1, le=8, description="levels of the multi-scale flow, L")] = 3
    depth: Annotated[int, Field(ge=1, le=64, description="steps of flow per level, K")] = 8
    width: Annotated[
        int,
        Field(ge=1, le=4096, description="channels of the hidden layers of a coupling's network"),
    ] = 64
    permutation: Annotated[
        Literal["reverse", "shuffle", "1x1", "lu"],
        Field(description="of the channels before each coupling; lu: the 1x1 convolution as P L U"),
    ] = "lu"
    coupling: Annotated[
        Literal["additive", "affine"], Field(description="shift, or shift and scale")
    ] = "affine"
    scale: Annotated[
        Literal["sigmoid", "tanh"],
        Field(
            description="of affine couplings; sigmoid: the official one, tanh: also bounded below"
        ),
    ] = "tanh"
    actnorm: Annotated[
        Literal["data", "zero"],
        Field(description="initialized from the first batch, or as the identity"),
    ] = "data"
    conditional: Annotated[
        bool, Field(description="p(x | y), by a top prior for each class of the data")
    ] = False
    memory: Annotated[
        Literal["standard", "reversible"],
        Field(description="reversible: recompute activations, so that memory does not grow with K"),
    ] = "standard"


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"levels": 2, "depth": 8, "width": 64},
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 1500,
            "validate_every": 50,
            "batch_size": 32,
            "learning_rate": 4e-3,
            "warmup_steps": 50,
            "decay": "linear",
            "clip_norm": 1.0,
            "ema_decay": 0.99,
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
            "ema_decay": 0.999,
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
            "ema_decay": 0.999,
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
            "ema_decay": 0.999,
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
            "ema_decay": 0.999,
        },
    },
}
