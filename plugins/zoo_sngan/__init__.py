"""SN-GAN: Spectral Normalization for Generative Adversarial Networks (Miyato, Kataoka, Koyama and
Yoshida 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zoo import Config, ImageSpec, ModelSpec, Preset, hookimpl
from zoo.gan import AdversarialConfig, check_bounded_critic, check_doubling

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.objectives import Objective
    from zoo_sngan.model import Generator


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
