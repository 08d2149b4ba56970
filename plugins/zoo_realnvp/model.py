"""The flow of RealNVP (Dinh et al. 2017, sections 3.4 to 3.7): couplings on checkerboards, squeeze,
couplings on channels, half of the channels leaves; and again."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from zoo import ImageSpec, Latent
from zoo.flows import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    BatchNorm,
    Bijection,
    CheckerboardCoupling,
    Composition,
    LearnedTanh,
    Logit,
    Permutation,
    Squeeze,
    checkerboard,
    reverse,
    shuffle,
    standard_normal_log_prob,
)
from zoo_realnvp.config import RealNVPConfig
from zoo_realnvp.network import CouplingNetwork

COUPLINGS = 3
"""On a checkerboard, and again on channels, at each scale but the last (paper, section 4.1)."""

LAST_COUPLINGS = 4
"""At the last scale, which is not squeezed."""


class RealNVP(nn.Module):
    """A bijection between pictures in the unit cube and one flat standard normal vector.

    ``forward(x)`` takes ``[N, C, S, S]`` in [0, 1] and gives ``(z, log_prob)``: the latents of all
    scales, ``[N, C*S*S]``, coarsest last, and the log-density at x in nats, ``[N]`` (paper, eq. 2).
    ``inverse(z)`` gives x back, not clamped.
    """

    def __init__(self, config: RealNVPConfig, image: ImageSpec) -> None:
        super().__init__()
        self.image = image
        self.latent = Latent(image.dimensions, "normal")
        self.logit = Logit(config.alpha)
        channels, size, width, scales = image.channels, image.size, config.width, []
        for index in range(config.scales):
            last = index == config.scales - 1
            scales.append(Composition(layers(config, channels, size, width, last)))
            if not last or not config.checkerboard:
                channels, size = 4 * channels, size // 2
            if not last:
                channels, width = channels // 2, 2 * width
        self.scales = nn.ModuleList(scales)
        self.last_shape = (channels, size, size)
        self.sizes = [image.dimensions >> index for index in range(1, config.scales)]
        self.sizes.append(image.dimensions - sum(self.sizes))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, log_det = self.logit(x)
        latents = []
        *scales, last = self._scales()
        for scale in scales:
            x, scale_log_det = scale(x)
            log_det = log_det + scale_log_det
            x, z = x.chunk(2, dim=1)
            latents.append(z.flatten(1))
        x, last_log_det = last(x)
        flat = torch.cat([*latents, x.flatten(1)], dim=1)
        return flat, standard_normal_log_prob(flat) + log_det + last_log_det

    def inverse(self, z: Tensor) -> Tensor:
        *latents, top = torch.split(z, self.sizes, dim=1)
        *scales, last = self._scales()
        x = last.inverse(top.reshape(-1, *self.last_shape))
        for scale in reversed(scales):
            x = scale.inverse(torch.cat([x, latents.pop().reshape(x.shape)], dim=1))
        return self.logit.inverse(x)

    def _scales(self) -> list[Bijection]:
        return cast("list[Bijection]", list(self.scales))


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
        affine = config.coupling == "affine"
        network = CouplingNetwork(
            channels,
            2 * channels if affine else channels,
            width,
            config.blocks,
            config.norm == "batch",
            checkerboard(size, odd),
        )
        # As in the official code these couplings start as shifts, those on channels do not.
        scale = LearnedTanh(0.0) if affine else None
        made.append(CheckerboardCoupling(network, size, odd, scale))
        made += normalisation(config, channels)
    return made


def on_channels(config: RealNVPConfig, channels: int, width: int, count: int) -> list[Bijection]:
    """``count`` couplings of one half of the channels with the other."""
    made: list[Bijection] = []
    half, batch_norm = channels // 2, config.norm == "batch"
    for index in range(count):
        if index:
            made.append(permutation(config, channels))
        if config.coupling == "affine":
            network = CouplingNetwork(half, channels, width, config.blocks, batch_norm)
            made.append(AffineCoupling(network, LearnedTanh(1.0)))
        else:
            network = CouplingNetwork(half, half, width, config.blocks, batch_norm)
            made.append(AdditiveCoupling(network))
        made += normalisation(config, channels)
    return made


def normalisation(config: RealNVPConfig, channels: int) -> list[Bijection]:
    """What stands behind each coupling (paper, section 3.7)."""
    if config.norm == "batch":
        return [BatchNorm(channels, config.momentum)]
    return [ActNorm(channels)] if config.norm == "actnorm" else []


def permutation(config: RealNVPConfig, channels: int) -> Permutation:
    if config.permutation == "swap":
        return Permutation(torch.arange(channels).roll(channels // 2))
    return reverse(channels) if config.permutation == "reverse" else shuffle(channels)


def diagonals_first(channels: int) -> Permutation:
    """The channels of a squeezed picture of ``channels``, those of each square's main diagonal
    first: what stays is one colour of the checkerboard, at every channel (paper, figure 3)."""
    squares = torch.arange(4 * channels).reshape(channels, 4)
    return Permutation(squares[:, [0, 3, 1, 2]].T.flatten())
