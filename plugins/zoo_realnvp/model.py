"""The flow of RealNVP (Dinh et al. 2017, sections 3.4 to 3.7): couplings on checkerboards, squeeze,
couplings on channels, half of the channels leaves; and again."""

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
"""On a checkerboard, and again on channels, at each scale but the last (paper, section 4.1)."""

LAST_COUPLINGS = 4
"""At the last scale, which is not squeezed."""


class RealNVP(Flow):
    """A flow whose latents are standard normal: those of all scales, coarsest last."""

    def __init__(self, config: RealNVPConfig, image: ImageSpec) -> None:
        super().__init__(image, Latent(image.dimensions, "normal"))
        channels, size, width = image.channels, image.size, config.width
        scales: list[Bijection] = []
        for index in range(config.scales):
            last = index == config.scales - 1
            scales.append(Composition(layers(config, channels, size, width, last)))
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


def layers(
    config: RealNVPConfig, channels: int, size: int, width: int, last: bool
) -> list[Bijection]:
    """The layers of a scale, for ``[N, channels, size, size]``. At all scales but the last the
    first half of the channels that come out goes on, and the other half is latent."""
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
    """``count`` couplings of pixels, the two colours of the board taking turns."""
    made: list[Bijection] = []
    for index in range(count):
        odd = index % 2 == 1
        # As in the official code these couplings start as shifts, those on channels do not.
        scale = LearnedTanhScale(0.0) if config.coupling == "affine" else None
        network = CouplingNetwork(
            channels,
            channels if scale is None else 2 * channels,
            width,
            config.blocks,
            config.norm == "batch",
            checkerboard(size, odd),
        )
        made.append(CheckerboardCoupling(network, size, odd, scale))
        made += normalization(config, channels)
    return made


def on_channels(config: RealNVPConfig, channels: int, width: int, count: int) -> list[Bijection]:
    """``count`` couplings of one half of the channels with the other."""
    made: list[Bijection] = []
    half, batch_norm = channels // 2, config.norm == "batch"
    for index in range(count):
        if index:
            made.append(PERMUTATIONS[config.permutation](channels))
        scale = LearnedTanhScale(1.0) if config.coupling == "affine" else None
        outputs = half if scale is None else channels
        network = CouplingNetwork(half, outputs, width, config.blocks, batch_norm)
        made.append(ChannelCoupling(network, scale))
        made += normalization(config, channels)
    return made


def normalization(config: RealNVPConfig, channels: int) -> list[Bijection]:
    """What stands behind each coupling (paper, section 3.7)."""
    if config.norm == "batch":
        return [BatchNorm(channels, config.momentum)]
    return [ActNorm(channels)] if config.norm == "actnorm" else []


def diagonals_first(channels: int) -> Permutation:
    """The channels of a squeezed picture of ``channels``, those of each square's main diagonal
    first: what stays is one colour of the checkerboard, at every channel (paper, figure 3)."""
    squares = torch.arange(4 * channels).reshape(channels, 4)
    return Permutation(squares[:, [0, 3, 1, 2]].T.flatten())
