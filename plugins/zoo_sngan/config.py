"""Configuration and presets of SN-GAN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo import Preset
from zoo.gan import GANConfig


class SNGANConfig(GANConfig):
    """Configuration of SN-GAN."""

    architecture: Annotated[
        Literal["cnn", "resnet"],
        Field(description="networks of the paper's table 3 (cnn) or table 4 (resnet)"),
    ] = "cnn"
    spectral_norm: Annotated[
        Literal["critic", "both", "none"],
        Field(description="networks whose layers are normalized; critic: as in the paper"),
    ] = "critic"
    latent: Annotated[int, Field(ge=1, le=4096, description="size of the latent z")] = 128
    width: Annotated[
        int, Field(ge=1, le=1024, description="generator channels at the image size")
    ] = 64
    critic_width: Annotated[
        int, Field(ge=1, le=1024, description="critic channels at the image size")
    ] = 64


# For small networks and minutes of training: no momentum, as for the paper's ResNet.
QUICK = {"learning_rate": 1e-3, "beta1": 0.0, "beta2": 0.9, "decay": "linear"}

PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"loss": "hinge", "critic_steps": 3, "width": 32, "critic_width": 24},
        "data": {"source": "digits", "bits": 4},
        "training": {**QUICK, "steps": 900, "ema_decay": 0.99},
    },
    "mnist": {
        "model": {"loss": "hinge", "critic_steps": 2, "width": 16, "critic_width": 16},
        "data": {"source": "mnist", "size": 32, "pad": 2, "channels": 1},
        "training": {**QUICK, "epochs": 20.0, "ema_decay": 0.99},
    },
    "cifar10": {
        "model": {"loss": "hinge"},
        "data": {"source": "cifar10", "size": 32, "channels": 3},
        # Adam in the paper's setting C (table 1), as in the authors' CNN.
        "training": {"learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999, "steps": 100_000},
    },
    "cifar10-resnet": {
        "model": {
            "architecture": "resnet",
            "width": 256,
            "critic_width": 128,
            "loss": "hinge",
            "critic_steps": 5,
            "generator_batches": 2,
        },
        "data": {"source": "cifar10", "size": 32, "channels": 3},
        "training": {
            "learning_rate": 2e-4,
            "beta1": 0.0,
            "beta2": 0.9,
            "decay": "linear",
            "steps": 50_000,
        },
    },
}
