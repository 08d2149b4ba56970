"""Configuration and presets of DCGAN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo import Preset
from zoo.gan import GANConfig


class DCGANConfig(GANConfig):
    """Configuration of DCGAN."""

    latent: Annotated[int, Field(ge=1, le=4096, description="size of the latent, Z")] = 100
    noise: Annotated[
        Literal["uniform", "normal"],
        Field(description="latent distribution; uniform: on (-1, 1), as in the paper"),
    ] = "uniform"
    width: Annotated[
        int, Field(ge=1, le=1024, description="generator channels at half the image size")
    ] = 64
    critic_width: Annotated[
        int, Field(ge=1, le=1024, description="critic channels at half the image size")
    ] = 64
    kernel: Annotated[
        Literal[4, 5], Field(description="kernel size of the convolutions; 5: as in the paper")
    ] = 4


# Adam with the settings of the paper (section 4).
ADAM = {"learning_rate": 2e-4, "beta1": 0.5, "batch_size": 128}

PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"width": 64, "critic_width": 64},
        "data": {"source": "digits", "bits": 4},
        "training": {**ADAM, "steps": 4000, "batch_size": 64, "ema_decay": 0.99},
    },
    "mnist": {
        "model": {"width": 64, "critic_width": 64},
        "data": {"source": "mnist", "size": 32, "pad": 2, "channels": 1},
        "training": {**ADAM, "epochs": 20.0, "batch_size": 64, "ema_decay": 0.999},
    },
    "cifar10": {
        "model": {"width": 128, "critic_width": 128},
        "data": {"source": "cifar10", "size": 32, "channels": 3, "flip": True},
        "training": {**ADAM, "epochs": 100.0, "ema_decay": 0.999},
    },
    "faces64": {
        "model": {"width": 128, "critic_width": 128, "kernel": 5},
        "data": {"source": "celeba", "size": 64, "channels": 3},
        "training": {**ADAM, "epochs": 25.0},
    },
}
