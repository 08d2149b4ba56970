"""The networks of DCGAN (Radford et al. 2016): a generator of transposed convolutions, and a critic
of strided ones, which is the paper's discriminator without its sigmoid."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from zoo import ImageSpec, Latent
from zoo_dcgan.config import DCGANConfig


class Generator(nn.Module):
    """Pictures from noise: a matrix product, then transposed convolutions that double the size
    (paper, figure 1).

    ``forward(z)`` takes latents ``[N, latent.size]`` and gives pictures in [-1, 1],
    ``[N, C, S, S]``. Uniform latents lie in (0, 1) and are stretched to (-1, 1), the paper's noise.
    """

    def __init__(self, config: DCGANConfig, image: ImageSpec) -> None:
        super().__init__()
        self.image = image
        self.latent = Latent(config.latent, config.noise)
        widths, first = stages(image.size, config.width), first_size(image.size)
        units = widths[0] * first**2
        layers: list[nn.Module] = [
            nn.Linear(config.latent, units, bias=False),
            nn.BatchNorm1d(units),
            nn.ReLU(),
            nn.Unflatten(1, (-1, first, first)),
        ]
        for wide, narrow in pairwise(widths):
            layers += [upward(wide, narrow, config.kernel), nn.BatchNorm2d(narrow), nn.ReLU()]
        layers += [upward(widths[-1], image.channels, config.kernel), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialize(self)

    def forward(self, z: Tensor) -> Tensor:
        noise = 2 * z - 1 if self.latent.distribution == "uniform" else z
        return cast(Tensor, self.layers(noise))


class Critic(nn.Module):
    """Scores of pictures: strided convolutions that halve the size, then a matrix product.

    ``forward(x)`` takes pictures in [-1, 1], ``[N, C, S, S]``, and gives scores ``[N]``; their
    sigmoid is the paper's probability that a picture is real.
    """

    def __init__(self, config: DCGANConfig, image: ImageSpec) -> None:
        super().__init__()
        widths = stages(image.size, config.critic_width)[::-1]
        layers: list[nn.Module] = [
            downward(image.channels, widths[0], config.kernel),
            nn.LeakyReLU(0.2),
        ]
        for narrow, wide in pairwise(widths):
            layers.append(downward(narrow, wide, config.kernel))
            if not config.gradient_penalty:
                layers.append(nn.BatchNorm2d(wide))
            layers.append(nn.LeakyReLU(0.2))
        layers += [nn.Flatten(), nn.Linear(widths[-1] * first_size(image.size) ** 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.layers(x)).squeeze(1)


def first_size(size: int) -> int:
    """Pixels a side after the generator's first layer, and before the critic's last: 4, and 2 for
    pictures of 8, which leaves two convolutions at least."""
    return min(4, size // 4)


def stages(size: int, width: int) -> list[int]:
    """Channels from the first size on, up to half of ``size``: halved at each doubling, ``width``
    at the last."""
    count = int(math.log2(size // first_size(size)))
    return [width * 2 ** (count - 1 - i) for i in range(count)]


def upward(in_channels: int, out_channels: int, kernel: int) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles height and width."""
    padding, rest = (kernel - 1) // 2, kernel % 2
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel, 2, padding, output_padding=rest, bias=False
    )


def downward(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    """A convolution that halves height and width."""
    return nn.Conv2d(in_channels, out_channels, kernel, 2, (kernel - 1) // 2, bias=False)


def initialize(network: nn.Module) -> None:
    """Weights from N(0, 0.02) (paper, section 4), and batch normalisation's scales from
    N(1, 0.02), as in the authors' code."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
