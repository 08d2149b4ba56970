"""SN-GAN: Spectral Normalization for Generative Adversarial Networks (Miyato, Kataoka, Koyama and
Yoshida 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import Config, ImageSpec, ModelSpec, hookimpl
from zoo.gan import check_bounded_critic, check_doubling
from zoo_sngan.config import PRESETS, SNGANConfig

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.objectives import Objective
    from zoo_sngan.model import Generator


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
    import torch

    from zoo_sngan.model import Generator

    check_doubling("sngan", image)
    network = Generator(config, image)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@hookimpl
def zoo_train(network: Generator, config: Config) -> Objective:
    import torch

    from zoo.gan.objective import Adversarial
    from zoo_sngan.model import Critic

    rules = config.model
    assert isinstance(rules, SNGANConfig)
    if rules.spectral_norm == "none":
        check_bounded_critic(rules, "spectral_norm to critic")
    critic = Critic(rules, network.image)
    critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Adversarial(network, critic, rules, config.training)


@hookimpl
def zoo_sample(network: Generator, latents: Tensor, temperature: float) -> Tensor:
    return network.pictures(latents, temperature)
