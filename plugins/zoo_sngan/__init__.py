"""SN-GAN: Spectral Normalization for Generative Adversarial Networks (Miyato, Kataoka, Koyama and
Yoshida 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ImageSpec, ModelSpec, hookimpl
from zoo.gan import check_image_size, check_lipschitz
from zoo_sngan.config import PRESETS, SNGANConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo import Config
    from zoo.gan.networks import Generator
    from zoo.objectives import Objective


@hookimpl
def zoo_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="sngan",
            family="gan",
            title="SN-GAN: Spectral Normalization for Generative Adversarial Networks",
            paper="https://arxiv.org/abs/1802.05957",
            config=SNGANConfig,
            presets=PRESETS,
            card="zoo_cards:sngan.md",
        )
    ]


@hookimpl
def zoo_build(config: SNGANConfig, image: ImageSpec) -> Generator:
    from zoo_sngan.model import build_generator

    check_image_size(image)
    return build_generator(config, image)


@hookimpl
def zoo_train(network: Generator, config: Config) -> Objective:
    from zoo.gan.objective import GANObjective
    from zoo_sngan.model import build_critic

    assert isinstance(config.model, SNGANConfig)
    if config.model.spectral_norm == "none":
        check_lipschitz(config.model, "spectral_norm to critic")
    critic = build_critic(config.model, network.image)
    return GANObjective(network, critic, config.model, config.training)


@hookimpl
def zoo_sample(network: Generator, latents: Tensor, temperature: float) -> Tensor:
    return network.sample(latents, temperature)
