"""DCGAN: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks (Radford, Metz and Chintala 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ImageSpec, ModelSpec, hookimpl
from zoo.gan import check_image_size, check_lipschitz
from zoo_dcgan.config import PRESETS, DCGANConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo import Config
    from zoo.gan.networks import Generator
    from zoo.objectives import Objective


@hookimpl
def zoo_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="dcgan",
            family="gan",
            title="DCGAN: Deep Convolutional Generative Adversarial Networks",
            paper="https://arxiv.org/abs/1511.06434",
            config=DCGANConfig,
            presets=PRESETS,
            card="zoo_cards:dcgan.md",
        )
    ]


@hookimpl
def zoo_build(config: DCGANConfig, image: ImageSpec) -> Generator:
    from zoo_dcgan.model import build_generator

    check_image_size(image)
    return build_generator(config, image)


@hookimpl
def zoo_train(network: Generator, config: Config) -> Objective:
    from zoo.gan.objective import GANObjective
    from zoo_dcgan.model import build_critic

    assert isinstance(config.model, DCGANConfig)
    check_lipschitz(config.model)
    critic = build_critic(config.model, network.image)
    return GANObjective(network, critic, config.model, config.training)


@hookimpl
def zoo_sample(network: Generator, latents: Tensor, temperature: float) -> Tensor:
    return network.sample(latents, temperature)
