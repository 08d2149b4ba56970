"""The networks of DCGAN (Radford et al. 2016): a generator of transposed convolutions and a critic
of strided convolutions, the paper's discriminator without its sigmoid."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from zoo import ImageSpec, Latent
from zoo.gan.networks import Critic, Generator, doublings, first_size
from zoo_dcgan.config import DCGANConfig


def build_generator(config: DCGANConfig, image: ImageSpec) -> Generator:
    """A dense layer, then transposed convolutions that double the size (paper, figure 1)."""
    widths, first = stages(image.size, config.width), first_size(image.size)
    units = widths[0] * first**2
    layers: list[nn.Module] = [
        nn.Linear(config.latent, units, bias=False),
        nn.BatchNorm1d(units),
        nn.ReLU(),
        nn.Unflatten(1, (-1, first, first)),
    ]
    for wide, narrow in pairwise(widths):
        layers += [upsampling(wide, narrow, config.kernel), nn.BatchNorm2d(narrow), nn.ReLU()]
    layers += [upsampling(widths[-1], image.channels, config.kernel), nn.Tanh()]
    return Generator(initialized(layers), Latent(config.latent, config.noise), image)


def build_critic(config: DCGANConfig, image: ImageSpec) -> Critic:
    """Strided convolutions that halve the size, then a dense layer.

    The sigmoid of a score is the paper's probability that an image is real. With a gradient penalty
    there is no batch normalization.
    """
    widths = stages(image.size, config.critic_width)[::-1]
    layers: list[nn.Module] = [
        downsampling(image.channels, widths[0], config.kernel),
        nn.LeakyReLU(0.2),
    ]
    for narrow, wide in pairwise(widths):
        layers.append(downsampling(narrow, wide, config.kernel))
        if not config.gradient_penalty:
            layers.append(nn.BatchNorm2d(wide))
        layers.append(nn.LeakyReLU(0.2))
    layers += [nn.Flatten(), nn.Linear(widths[-1] * first_size(image.size) ** 2, 1, bias=False)]
    return Critic(initialized(layers))


def stages(size: int, width: int) -> list[int]:
    """Channels from the first size to half of ``size``: ``width`` at the last, twice as many at
    each halving."""
    count = doublings(size)
    return [width * 2 ** (count - 1 - i) for i in range(count)]


def upsampling(in_channels: int, out_channels: int, kernel: int) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles height and width."""
    padding, output_padding = (kernel - 1) // 2, kernel % 2
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel, 2, padding, output_padding, bias=False
    )


def downsampling(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    """A convolution that halves height and width."""
    return nn.Conv2d(in_channels, out_channels, kernel, 2, (kernel - 1) // 2, bias=False)


def initialized(layers: list[nn.Module]) -> nn.Sequential:
    """The layers with weights from N(0, 0.02) (paper, section 4), and batch normalization scales
    from N(1, 0.02) as in the authors' code."""
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.02)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, mean=1.0, std=0.02)
    return nn.Sequential(*layers)
