"""The networks of SN-GAN (Miyato et al. 2018): a generator, and a critic (the paper's
discriminator, without a sigmoid) whose weights are spectrally normalised."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from zoo import ImageSpec, Latent
from zoo.gan.spectral import spectral_norm
from zoo_sngan import cnn, resnet
from zoo_sngan.config import SNGANConfig


class Generator(nn.Module):
    """``forward(z)`` takes latents ``[N, latent.size]``, normal, and gives pictures in [-1, 1],
    ``[N, C, S, S]``."""

    def __init__(self, config: SNGANConfig, image: ImageSpec) -> None:
        super().__init__()
        self.image = image
        self.latent = Latent(config.latent, "normal")
        make = resnet.generator if config.architecture == "resnet" else cnn.generator
        self.layers = make(config.latent, config.width, image)
        if config.spectral_norm == "both":
            spectral_norm(self)

    def forward(self, z: Tensor) -> Tensor:
        return cast(Tensor, self.layers(z))

    def pictures(self, z: Tensor, temperature: float | Tensor) -> Tensor:
        """Pictures in [0, 1]; ``temperature`` scales the latents."""
        return (cast(Tensor, self(z * temperature)) + 1) / 2


class Critic(nn.Module):
    """``forward(x)`` takes pictures in [-1, 1], ``[N, C, S, S]``, and gives scores ``[N]``. It has
    no batch normalisation: a score is of its picture alone."""

    def __init__(self, config: SNGANConfig, image: ImageSpec) -> None:
        super().__init__()
        make = resnet.critic if config.architecture == "resnet" else cnn.critic
        self.layers = make(config.critic_width, image)
        if config.spectral_norm != "none":
            spectral_norm(self)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.layers(x)).squeeze(1)
