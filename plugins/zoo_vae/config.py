"""Configuration and presets of the VAE."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo import ModelConfig, Preset


class VAEConfig(ModelConfig):
    """Configuration of the VAE; symbols as in the paper."""

    network: Annotated[
        Literal["mlp", "convolutional"], Field(description="architecture of encoder and decoder")
    ] = "convolutional"
    latent: Annotated[int, Field(ge=1, le=4096, description="size of the latent, J")] = 32
    width: Annotated[
        int,
        Field(
            ge=1,
            le=8192,
            description="mlp: units of a hidden layer; convolutional: channels at half the "
            "image size, doubled at each further halving",
        ),
    ] = 32
    depth: Annotated[
        int,
        Field(
            ge=0,
            le=16,
            description="mlp: hidden layers, 0: linear; convolutional: residual blocks per size",
        ),
    ] = 1
    activation: Annotated[
        Literal["relu", "tanh", "silu"],
        Field(description="activation between layers; tanh: as in the paper"),
    ] = "relu"
    likelihood: Annotated[
        Literal["bernoulli", "gaussian", "logistic"],
        Field(description="p(x | z); bernoulli requires data.bits 1, logistic is discretized"),
    ] = "logistic"
    scale: Annotated[
        Literal["shared", "decoded"],
        Field(
            description="scale of a gaussian or logistic likelihood: one learned value, or one "
            "decoded per pixel and channel"
        ),
    ] = "decoded"
    beta: Annotated[
        float, Field(ge=0, le=1000, description="weight of the KL term in training; 1: the ELBO")
    ] = 1.0
    free_bits: Annotated[
        float,
        Field(ge=0, le=100, description="nats of KL per latent dimension without cost, lambda"),
    ] = 0.0
    conditional: Annotated[
        bool, Field(description="condition encoder and decoder on the class, p(x | y)")
    ] = False


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {
            "network": "mlp",
            "latent": 8,
            "width": 256,
            "depth": 3,
            "activation": "silu",
        },
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 4000,
            "validate_every": 50,
            "batch_size": 32,
            "learning_rate": 2e-3,
            "decay": "linear",
            "clip_norm": 10.0,
            "ema_decay": 0.99,
        },
    },
    "mnist": {
        "model": {
            "network": "mlp",
            "latent": 20,
            "width": 512,
            "depth": 2,
            "activation": "silu",
            "likelihood": "bernoulli",
        },
        "data": {"source": "mnist", "size": 28, "channels": 1, "bits": 1},
        "training": {
            "epochs": 60.0,
            "batch_size": 100,
            "learning_rate": 1e-3,
            "decay": "linear",
            "clip_norm": 10.0,
            "ema_decay": 0.999,
        },
    },
    "cifar10": {
        "model": {"latent": 256, "width": 64, "depth": 2, "activation": "silu"},
        "data": {"source": "cifar10", "size": 32, "channels": 3, "flip": True},
        "training": {
            "epochs": 200.0,
            "batch_size": 128,
            "learning_rate": 1e-3,
            "warmup_steps": 1000,
            "decay": "cosine",
            "clip_norm": 1.0,
            "ema_decay": 0.999,
        },
    },
    # clementchadebec/benchmark_VAE, examples/scripts/reproducibility/vae.py
    "pythae": {
        "model": {
            "network": "mlp",
            "latent": 40,
            "width": 400,
            "depth": 1,
            "likelihood": "bernoulli",
        },
        "data": {"source": "mnist", "size": 28, "channels": 1, "bits": 1},
        "training": {"epochs": 500.0, "batch_size": 100, "learning_rate": 1e-4},
    },
}
