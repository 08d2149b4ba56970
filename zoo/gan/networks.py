"""Generator and critic: the layers of a plugin, and the conventions that GANs here share."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from zoo.specs import ImageSpec, Latent


class Generator(nn.Module):
    """Maps latents ``[N, latent.size]`` to images in [-1, 1], ``[N, C, S, S]``, by ``layers``.

    Uniform latents lie in (0, 1) and are scaled to (-1, 1) first.
    """

    def __init__(self, layers: nn.Module, latent: Latent, image: ImageSpec) -> None:
        super().__init__()
        self.layers, self.latent, self.image = layers, latent, image
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, z: Tensor) -> Tensor:
        noise = 2 * z - 1 if self.latent.distribution == "uniform" else z
        return cast(Tensor, self.layers(noise))

    def sample(self, latents: Tensor, temperature: float) -> Tensor:
        """Images in [0, 1]; the temperature scales the latents around their mean."""
        if self.latent.distribution == "uniform":
            z = 0.5 + (latents - 0.5) * temperature
        else:
            z = latents * temperature
        return (cast(Tensor, self(z)) + 1) / 2


class Critic(nn.Module):
    """Maps images in [-1, 1], ``[N, C, S, S]``, to scores ``[N]``, by ``layers``, which return
    ``[N, 1]``."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.layers(x)).squeeze(1)


def first_size(size: int) -> int:
    """The side of the generator's first feature map and the critic's last, in pixels: 4, or 2 for
    images of 8, which leaves at least two doublings."""
    return min(4, size // 4)


def doublings(size: int) -> int:
    """The number of doublings from :func:`first_size` to ``size``: 3 for 32."""
    return int(math.log2(size // first_size(size)))
