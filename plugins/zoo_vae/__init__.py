"""VAE: Auto-Encoding Variational Bayes (Kingma and Welling 2014; Rezende, Mohamed and Wierstra
2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ImageSpec, ModelSpec, UsageError, hookimpl
from zoo_vae.config import PRESETS, VAEConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo import Config, Likelihood
    from zoo.data.batch import Batch
    from zoo.objectives import Objective
    from zoo_vae.model import VAE


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
            f"model.likelihood = bernoulli requires data.bits = 1; got {image.bits}: "
            "set data.bits to 1, or model.likelihood to logistic"
        )
    if config.network == "convolutional" and image.size % 2:
        raise UsageError(
            f"model.network = convolutional requires an even image size; got {image.size}: "
            "set data.size to an even number, or model.network to mlp"
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
    """The mean of p(x | z), not a sample from it."""
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
        method="an upper bound, the negative ELBO with one posterior sample per image and the "
        "analytic KL",
        decoder=network.likelihood.description,
        importance_weighted=partial(importance_weighted_nats, network),
    )
