"""VAE: Auto-Encoding Variational Bayes (Kingma and Welling 2014; Rezende, Mohamed and Wierstra
2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zoo import (
    Config,
    ImageSpec,
    ModelConfig,
    ModelSpec,
    Preset,
    UsageError,
    hookimpl,
)

if TYPE_CHECKING:
    from torch import Tensor

    from zoo import Likelihood
    from zoo.data.batch import Batch
    from zoo.objectives import Objective
    from zoo_vae.model import VAE


class VAEConfig(ModelConfig):
    """What one can set of a VAE; symbols are the paper's."""

    network: Annotated[
        Literal["mlp", "convolutional"], Field(description="of the encoder and the decoder")
    ] = "convolutional"
    latent: Annotated[int, Field(ge=1, le=4096, description="numbers in a latent, J")] = 32
    width: Annotated[
        int,
        Field(
            ge=1,
            le=8192,
            description="mlp: units of a hidden layer; convolutional: channels at half of the "
            "picture's size, doubled at each further halving",
        ),
    ] = 32
    depth: Annotated[
        int,
        Field(
            ge=0,
            le=16,
            description="mlp: hidden layers, 0: linear; convolutional: residual blocks at a size",
        ),
    ] = 1
    activation: Annotated[
        Literal["relu", "tanh", "silu"], Field(description="between layers; tanh: the paper's")
    ] = "relu"
    likelihood: Annotated[
        Literal["bernoulli", "gaussian", "logistic"],
        Field(description="p(x | z); bernoulli needs data.bits 1, logistic is over the levels"),
    ] = "logistic"
    scale: Annotated[
        Literal["shared", "decoded"],
        Field(
            description="of a gaussian or logistic likelihood: one number, learned, or one that "
            "the decoder gives for each value of a picture"
        ),
    ] = "decoded"
    beta: Annotated[
        float, Field(ge=0, le=1000, description="weight of the KL term in training; 1: the bound")
    ] = 1.0
    free_bits: Annotated[
        float,
        Field(ge=0, le=100, description="nats of KL a latent number has for nothing, lambda"),
    ] = 0.0
    conditional: Annotated[
        bool, Field(description="encoder and decoder see the class of the data, p(x | y)")
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
            "batch_size": 32,
            "learning_rate": 2e-3,
            "decay": "linear",
            "clip_norm": 10.0,
            "average": 0.99,
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
            "average": 0.999,
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
            "average": 0.999,
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


@hookimpl
def zoo_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="vae",
            family="vae",
            title="VAE: Auto-Encoding Variational Bayes",
            paper="https://arxiv.org/abs/1312.6114",
            config=VAEConfig,
            presets=PRESETS,
            capabilities=("sample", "encode", "interpolate"),
            card="zoo_cards:vae.md",
        )
    ]


@hookimpl
def zoo_build(config: VAEConfig, image: ImageSpec) -> VAE:
    import torch

    from zoo_vae.model import VAE

    if config.likelihood == "bernoulli" and image.bits > 1:
        raise UsageError(
            "model.likelihood = bernoulli is no likelihood of grey levels, and data.bits is "
            f"{image.bits}: set data.bits to 1 for black and white, or likelihood to logistic"
        )
    if config.network == "convolutional" and image.size % 2:
        raise UsageError(
            f"model.network = convolutional halves a picture, which {image.size} pixels a side "
            "cannot be: set data.size to an even number, or network to mlp"
        )
    if config.conditional and not image.classes:
        raise UsageError("model.conditional = true needs data with labels, and these have none")
    network = VAE(config, image)
    if config.network == "convolutional":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@hookimpl
def zoo_train(network: VAE, config: Config) -> Objective:
    from zoo_vae.objective import VariationalBound

    assert isinstance(config.model, VAEConfig)
    return VariationalBound(network, config.model, config.training)


@hookimpl
def zoo_sample(network: VAE, latents: Tensor, temperature: float, labels: Tensor | None) -> Tensor:
    """The mean of p(x | z), not a draw from it."""
    return network.likelihood.mean(network.decode(latents * temperature, labels))


@hookimpl
def zoo_encode(network: VAE, images: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    mean, log_variance = network.encode(images, labels)
    return {"mean": mean, "log_variance": log_variance}


@hookimpl
def zoo_score(network: VAE, batch: Batch) -> Tensor:
    from zoo_vae.bounds import negative_elbo

    return negative_elbo(network, batch)


@hookimpl
def zoo_likelihood(network: VAE) -> Likelihood:
    from functools import partial

    from zoo import Likelihood
    from zoo_vae.bounds import importance_weighted_nats

    return Likelihood(
        "an upper bound, the negative ELBO by one draw of the posterior a picture and the KL in "
        "closed form",
        network.likelihood.protocol,
        partial(importance_weighted_nats, network),
    )
