"""The standard CNN of SN-GAN (Miyato et al. 2018, table 3)."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from zoo import ImageSpec
from zoo.gan.networks import doublings, first_size


def generator(latent: int, width: int, image: ImageSpec) -> nn.Sequential:
    """Latents ``[N, latent]`` to images in [-1, 1]: a dense layer, transposed convolutions that
    double the size, and a convolution.

    Table 3 omits the normalization after the dense layer; as in the authors' code
    (pfnet-research/chainer-gan-lib, DCGANGenerator), each unit is batch-normalized.
    """
    widths, first = stages(image.size, width), first_size(image.size)
    units = widths[0] * first**2
    layers: list[nn.Module] = [
        nn.Linear(latent, units),
        nn.BatchNorm1d(units),
        nn.ReLU(),
        nn.Unflatten(1, (-1, first, first)),
    ]
    for wide, narrow in pairwise(widths):
        layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1), nn.BatchNorm2d(narrow), nn.ReLU()]
    layers += [nn.Conv2d(widths[-1], image.channels, 3, 1, 1), nn.Tanh()]
    return initialized(layers)


def critic(width: int, image: ImageSpec) -> nn.Sequential:
    """Images in [-1, 1] to scores ``[N, 1]``: at each size a 3x3 convolution and a 4x4 one that
    halves it, then a 3x3 convolution and a dense layer."""
    widths = stages(image.size, width)[::-1]
    layers: list[nn.Module] = []
    channels = image.channels
    for narrow in widths[:-1]:
        layers += [nn.Conv2d(channels, narrow, 3, 1, 1), nn.LeakyReLU(0.1)]
        layers += [nn.Conv2d(narrow, narrow, 4, 2, 1), nn.LeakyReLU(0.1)]
        channels = narrow
    layers += [nn.Conv2d(channels, widths[-1], 3, 1, 1), nn.LeakyReLU(0.1)]
    layers += [nn.Flatten(), nn.Linear(widths[-1] * first_size(image.size) ** 2, 1)]
    return initialized(layers)


def stages(size: int, width: int) -> list[int]:
    """Channels at each size from the first to ``size``: ``width`` at the last, twice as many at
    each halving, up to eight times (paper, table 3)."""
    return [width * min(8, 2**i) for i in range(doublings(size), -1, -1)]


def initialized(layers: list[nn.Module]) -> nn.Sequential:
    """The layers with weights from N(0, 0.02) and zero biases, as in the authors' code."""
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.02)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)
