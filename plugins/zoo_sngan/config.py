"""Configuration and presets of SN-GAN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo import Preset
from zoo.gan import AdversarialConfig


class SNGANConfig(AdversarialConfig):
    """What one can set of an SN-GAN; the rules of its game are :class:`AdversarialConfig`'s."""

    architecture: Annotated[
        Literal["cnn", "resnet"],
        Field(description="of both networks: the paper's table 3 or table 4"),
    ] = "cnn"
    spectral_norm: Annotated[
        Literal["critic", "both", "none"],
        Field(description="of every layer of the critic (the paper's), or of the generator too"),
    ] = "critic"
    latent: Annotated[int, Field(ge=1, le=4096, description="numbers in a latent, of z")] = 128
    width: Annotated[
        int,
        Field(ge=1, le=1024, description="generator's channels at the picture's size"),
    ] = 64
    critic_width: Annotated[
        int, Field(ge=1, le=1024, description="critic's channels at the picture's size")
    ] = 64


# Small networks that are trained for minutes: without momentum as the paper's ResNet, but faster.
QUICK = {"learning_rate": 1e-3, "beta1": 0.0, "beta2": 0.9, "decay": "linear"}

PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"loss": "hinge", "critic_steps": 3, "width": 32, "critic_width": 24},
        "data": {"source": "digits", "bits": 4},
        "training": {**QUICK, "steps": 900, "average": 0.99},
    },
    "mnist": {
        "model": {"loss": "hinge", "critic_steps": 2, "width": 16, "critic_width": 16},
        "data": {"source": "mnist", "size": 32, "pad": 2, "channels": 1},
        "training": {**QUICK, "epochs": 20.0, "average": 0.99},
    },
    "cifar10": {
        "model": {"loss": "hinge"},
        "data": {"source": "cifar10", "size": 32, "channels": 3},
        # Adam in the paper's setting C (table 1), the one of its laboratory's CNN.
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
