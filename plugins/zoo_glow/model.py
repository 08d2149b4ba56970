"""The network of Glow (Kingma and Dhariwal 2018): squeeze, K steps, split, L times over."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from zoo import ImageSpec, Latent
from zoo.flows import (
    ActNorm,
    ActNormConv2d,
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Composition,
    Invertible1x1,
    InvertibleLU1x1,
    SplitPrior,
    Squeeze,
    TopPrior,
    ZeroConv2d,
    reverse,
    shuffle,
    standard_normal_log_prob,
)
from zoo_glow.config import GlowConfig

PERMUTATIONS = {
    "reverse": reverse,
    "shuffle": shuffle,
    "1x1": Invertible1x1,
    "lu": InvertibleLU1x1,
}


class Glow(nn.Module):
    """A bijection between pictures in the unit cube and one flat standard normal vector.

    ``forward(x, labels)`` takes ``[N, C, S, S]`` in [0, 1] and gives ``(z, log_prob)``: the
    latents of all scales, ``[N, C*S*S]``, coarsest last, and the log-density at x in nats, ``[N]``
    (paper, eq. 3). ``inverse(z, labels)`` gives x back, not clamped.
    """

    def __init__(self, config: GlowConfig, image: ImageSpec) -> None:
        super().__init__()
        self.image = image
        classes = image.classes if config.conditional else 0
        self.latent = Latent(image.dimensions, "normal", classes)
        channels, levels = image.channels, []
        for level in range(config.levels):
            channels *= 4
            last = level == config.levels - 1
            levels.append(Level(config, channels, split=not last))
            channels = channels if last else channels // 2
        self.levels = nn.ModuleList(levels)
        self.prior = TopPrior(channels, classes)
        self.top = (channels, image.size >> config.levels, image.size >> config.levels)
        self.sizes = [self.latent.size >> level for level in range(1, config.levels)]
        self.sizes.append(self.latent.size - sum(self.sizes))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, log_det, latents = x - 0.5, x.new_zeros(x.shape[0]), []
        for level in self._levels():
            x, level_log_det = level(x)
            log_det = log_det + level_log_det
            if level.split is not None:
                x, z = x.chunk(2, dim=1)
                latents.append(z.flatten(1))
        z, prior_log_det = self.prior(x, labels)
        flat = torch.cat([*latents, z.flatten(1)], dim=1)
        return flat, standard_normal_log_prob(flat) + log_det + prior_log_det

    def inverse(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        *latents, top = torch.split(z, self.sizes, dim=1)
        x = self.prior.inverse(top.reshape(-1, *self.top), labels)
        for level in reversed(self._levels()):
            if level.split is not None:
                x = torch.cat([x, latents.pop().reshape(x.shape)], dim=1)
            x = level.inverse(x)
        return x + 0.5

    def _levels(self) -> list[Level]:
        return cast("list[Level]", list(self.levels))


class Level(Bijection):
    """Squeeze, K steps of flow and, on all levels but the last, the prior of the half that leaves
    (paper, figure 2b)."""

    def __init__(self, config: GlowConfig, channels: int, split: bool) -> None:
        super().__init__()
        self.squeeze = Squeeze()
        self.steps = Composition(
            [layer for _ in range(config.depth) for layer in step(config, channels)],
            reversible=config.memory == "reversible",
        )
        self.split = SplitPrior(ZeroConv2d(channels // 2, channels)) if split else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, _ = self.squeeze(x)
        x, log_det = self.steps(x)
        if self.split is not None:
            x, split_log_det = self.split(x)
            log_det = log_det + split_log_det
        return x, log_det

    def inverse(self, y: Tensor) -> Tensor:
        if self.split is not None:
            y = self.split.inverse(y)
        return self.squeeze.inverse(self.steps.inverse(y))


def step(config: GlowConfig, channels: int) -> list[Bijection]:
    """Actnorm, a permutation, a coupling (paper, figure 2a)."""
    half = channels // 2
    if config.coupling == "affine":
        network = coupling_network(config, half, channels)
        coupling: Bijection = AffineCoupling(network, config.scale)
    else:
        coupling = AdditiveCoupling(coupling_network(config, half, half))
    return [ActNorm(channels, config.actnorm), PERMUTATIONS[config.permutation](channels), coupling]


def coupling_network(config: GlowConfig, in_channels: int, out_channels: int) -> nn.Sequential:
    """Three convolutions, 3x3, 1x1 and 3x3, the last one zero (paper, appendix B)."""
    return nn.Sequential(
        ActNormConv2d(in_channels, config.width, 3, config.actnorm),
        nn.ReLU(),
        ActNormConv2d(config.width, config.width, 1, config.actnorm),
        nn.ReLU(),
        ZeroConv2d(config.width, out_channels),
    )
