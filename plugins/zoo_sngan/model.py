"""The networks of SN-GAN (Miyato et al. 2018): a generator, and a critic with spectrally normalized
weights, the paper's discriminator without its sigmoid."""

from __future__ import annotations

from zoo import ImageSpec, Latent
from zoo.gan.networks import Critic, Generator
from zoo.gan.spectral import spectral_norm
from zoo_sngan import cnn, resnet
from zoo_sngan.config import SNGANConfig


def build_generator(config: SNGANConfig, image: ImageSpec) -> Generator:
    build = resnet.generator if config.architecture == "resnet" else cnn.generator
    layers = build(config.latent, config.width, image)
    if config.spectral_norm == "both":
        spectral_norm(layers)
    return Generator(layers, Latent(config.latent), image)


def build_critic(config: SNGANConfig, image: ImageSpec) -> Critic:
    """Without batch normalization: each score depends on its own image only."""
    build = resnet.critic if config.architecture == "resnet" else cnn.critic
    layers = build(config.critic_width, image)
    if config.spectral_norm != "none":
        spectral_norm(layers)
    return Critic(layers)
