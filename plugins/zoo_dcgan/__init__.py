"""DCGAN: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks (Radford, Metz and Chintala 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import Config, ImageSpec, ModelSpec, hookimpl
from zoo.gan import check_bounded_critic, check_doubling
from zoo_dcgan.config import PRESETS, DCGANConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.objectives import Objective
    from zoo_dcgan.model import Generator


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
    import torch

    from zoo_dcgan.model import Generator

    check_doubling("dcgan", image)
    network = Generator(config, image)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@hookimpl
def zoo_train(network: Generator, config: Config) -> Objective:
    import torch

    from zoo.gan.objective import Adversarial
    from zoo_dcgan.model import Critic

    rules = config.model
    assert isinstance(rules, DCGANConfig)
    check_bounded_critic(rules)
    critic = Critic(rules, network.image)
    critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Adversarial(network, critic, rules, config.training)


@hookimpl
def zoo_sample(network: Generator, latents: Tensor, temperature: float) -> Tensor:
    center = 0.5 if network.latent.distribution == "uniform" else 0.0
    pictures: Tensor = network(center + (latents - center) * temperature)
    return (pictures + 1) / 2
