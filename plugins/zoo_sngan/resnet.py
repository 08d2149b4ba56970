"""The residual networks of SN-GAN (Miyato et al. 2018, table 4 and figure 8), as in the official
code (pfnet-research/sngan_projection, resnet_32 and snresnet_32)."""

from __future__ import annotations

import math
from typing import cast

from torch import Tensor, nn

from zoo import ImageSpec
from zoo.gan.networks import doublings, first_size

ROOT2 = math.sqrt(2)


def generator(latent: int, width: int, image: ImageSpec) -> nn.Sequential:
    """Latents ``[N, latent]`` to images in [-1, 1]: a dense layer, residual blocks that double the
    size, and a convolution, all with ``width`` channels."""
    first = first_size(image.size)
    layers: list[nn.Module] = [
        dense(latent, width * first**2),
        nn.Unflatten(1, (-1, first, first)),
    ]
    layers += [UpBlock(width) for _ in range(doublings(image.size))]
    layers += [nn.BatchNorm2d(width), nn.ReLU(), convolution(width, image.channels, 3), nn.Tanh()]
    return nn.Sequential(*layers)


def critic(width: int, image: ImageSpec) -> nn.Sequential:
    """Images in [-1, 1] to scores ``[N, 1]``: residual blocks that halve the size, one less than
    the generator's doublings, two that keep it, the sum over pixels and a dense layer."""
    halvings = doublings(image.size) - 1
    layers: list[nn.Module] = [FirstBlock(image.channels, width)]
    layers += [DownBlock(width, halve=True) for _ in range(halvings - 1)]
    layers += [DownBlock(width, halve=False), DownBlock(width, halve=False)]
    layers += [nn.ReLU(), SumPixels(), dense(width, 1, bias=False)]
    return nn.Sequential(*layers)


class UpBlock(nn.Module):
    """A residual block of the generator, ``[N, C, S, S]`` to ``[N, C, 2S, 2S]``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            convolution(width, width, 3, gain=ROOT2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            convolution(width, width, 3, gain=ROOT2),
        )
        # Equal to upsampling first, with a quarter of the work.
        self.shortcut = nn.Sequential(convolution(width, width, 1), nn.Upsample(scale_factor=2))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.residual(x) + self.shortcut(x))


class DownBlock(nn.Module):
    """A residual block of the critic, ``[N, C, S, S]`` to the same shape or, with ``halve``,
    ``[N, C, S/2, S/2]``."""

    def __init__(self, width: int, halve: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.ReLU(),
            convolution(width, width, 3, gain=ROOT2),
            nn.ReLU(),
            convolution(width, width, 3, gain=ROOT2),
        )
        self.shortcut = nn.Sequential()
        if halve:
            self.residual.append(nn.AvgPool2d(2))
            self.shortcut = nn.Sequential(nn.AvgPool2d(2), convolution(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.residual(x) + self.shortcut(x))


class FirstBlock(nn.Module):
    """The critic's first block, images to ``[N, width, S/2, S/2]``, without an activation on the
    pixels."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            convolution(channels, width, 3, gain=ROOT2),
            nn.ReLU(),
            convolution(width, width, 3, gain=ROOT2),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), convolution(channels, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.residual(x) + self.shortcut(x))


class SumPixels(nn.Module):
    """Global sum pooling, ``[N, C, S, S]`` to ``[N, C]``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


def convolution(channels: int, width: int, kernel: int, gain: float = 1.0) -> nn.Conv2d:
    """A convolution that keeps the size, with Glorot initialization (Glorot and Bengio 2010)."""
    layer = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def dense(in_features: int, out_features: int, bias: bool = True) -> nn.Linear:
    """A dense layer with Glorot initialization."""
    layer = nn.Linear(in_features, out_features, bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
