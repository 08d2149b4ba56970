"""The network of RealNVP (Dinh et al. 2017, sections 3.4 to 3.7).

At each scale: couplings of pixels on checkerboards, squeeze, couplings of channels, and half of the
channels is factored out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zoo import ImageSpec, Latent
from zoo.flows import (
    ActNorm,
    BatchNorm,
    Bijection,
    ChannelCoupling,
    CheckerboardCoupling,
    Composition,
    Flow,
    LearnedTanhScale,
    Logit,
    MultiScale,
    Permutation,
    Squeeze,
    checkerboard,
    reverse,
    shuffle,
    swap,
)
from zoo_realnvp.config import RealNVPConfig
from zoo_realnvp.network import CouplingNetwork

PERMUTATIONS = {"swap": swap, "reverse": reverse, "shuffle": shuffle}

COUPLINGS = 3
"""Couplings of pixels, and of channels, at each scale but the last (paper, section 4.1)."""

LAST_COUPLINGS = 4
"""Couplings of the last scale, which is not squeezed."""


class RealNVP(Flow):
    """A flow whose latents are standard normal: those of all scales, coarsest last."""

    def __init__(self, config: RealNVPConfig, image: ImageSpec) -> None:
        super().__init__(image, Latent(image.dimensions, "normal"))
        channels, size, width = image.channels, image.size, config.width
        scales: list[Bijection] = []
        for index in range(config.scales):
            last = index == config.scales - 1
            layers = make_layers(config, channels, size, width, last)
            scales.append(Composition(layers, reversible=config.memory == "reversible"))
            if not last or not config.checkerboard:
                channels, size = 4 * channels, size // 2
            if not last:
                channels, width = channels // 2, 2 * width
        self.flow = MultiScale(scales, (channels, size, size), first=Logit(config.alpha))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_prob = self.flow(x)
        return z, log_prob

    def inverse(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.flow.inverse(z)


def make_layers(
    config: RealNVPConfig, channels: int, size: int, width: int, last: bool
) -> list[Bijection]:
    """The layers of a scale, for ``[N, channels, size, size]``, ordered so that, except at the last
    scale, the second half of the output channels is the one to factor out."""
    if not config.checkerboard:
        squeezed = on_channels(config, 4 * channels, width, LAST_COUPLINGS if last else COUPLINGS)
        return [Squeeze(), *squeezed, *([] if last else [diagonals_first(channels)])]
    if last:
        return on_checkerboards(config, channels, size, width, LAST_COUPLINGS)
    return [
        *on_checkerboards(config, channels, size, width, COUPLINGS),
        Squeeze(),
        *on_channels(config, 4 * channels, 2 * width, COUPLINGS),
        diagonals_first(channels),
    ]


def on_checkerboards(
    config: RealNVPConfig, channels: int, size: int, width: int, count: int
) -> list[Bijection]:
    """``count`` couplings of pixels, in which the two colors of the board alternate."""
    layers: list[Bijection] = []
    for index in range(count):
        odd = index % 2 == 1
        # As in the official code, couplings of pixels start with scale 1, those of channels do not.
        scale = LearnedTanhScale(0.0) if config.coupling == "affine" else None
        network = CouplingNetwork(
            channels,
            channels if scale is None else 2 * channels,
            width,
            config.blocks,
            config.norm == "batch",
            checkerboard(size, odd),
        )
        layers.append(CheckerboardCoupling(network, size, odd, scale))
        layers += normalization(config, channels)
    return layers


def on_channels(config: RealNVPConfig, channels: int, width: int, count: int) -> list[Bijection]:
    """``count`` couplings of the halves of the channels."""
    layers: list[Bijection] = []
    half, batch_norm = channels // 2, config.norm == "batch"
    for index in range(count):
        if index:
            layers.append(PERMUTATIONS[config.permutation](channels))
        scale = LearnedTanhScale(1.0) if config.coupling == "affine" else None
        outputs = half if scale is None else channels
        network = CouplingNetwork(half, outputs, width, config.blocks, batch_norm)
        layers.append(ChannelCoupling(network, scale))
        layers += normalization(config, channels)
    return layers


def normalization(config: RealNVPConfig, channels: int) -> list[Bijection]:
    """The normalization after each coupling, if any (paper, section 3.7)."""
    if config.norm == "batch":
        return [BatchNorm(channels, config.momentum)]
    return [ActNorm(channels)] if config.norm == "actnorm" else []


def diagonals_first(channels: int) -> Permutation:
    """Permutes the channels of a squeezed image of ``channels`` so that the main diagonal of each
    2x2 square comes first: each half is one color of the checkerboard (paper, figure 3)."""
    squares = torch.arange(4 * channels).reshape(channels, 4)
    return Permutation(squares[:, [0, 3, 1, 2]].T.flatten())
