"""The network of flow matching: a U-Net for the velocity v(x, t), and its ODE solver."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, silu

from zoo import ImageSpec, Latent
from zoo_flowmatching.config import FlowMatchingConfig

GROUPS = 8
"""Groups of the group normalization, which divide every width."""


class VelocityNet(nn.Module):
    """A U-Net (Ronneberger et al. 2015) of residual blocks conditioned on the time.

    ``forward(x, t)`` takes points ``[N, C, S, S]`` and times in [0, 1], ``[N]``, and returns the
    velocities ``[N, C, S, S]``. ``flow(z)`` maps latents ``[N, C*S*S]`` to images of about [-1, 1].
    """

    def __init__(self, config: FlowMatchingConfig, image: ImageSpec) -> None:
        super().__init__()
        self.image = image
        self.latent = Latent(image.dimensions, "normal")
        self.solver, self.solver_steps = config.solver, config.solver_steps
        widths = [config.width * 2**level for level in range(config.levels)]
        self.time = TimeEmbedding(4 * config.width)
        self.first = nn.Conv2d(image.channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        before = widths[0]
        for width in widths:
            self.down.append(Level(before, width, config))
            before = width
        for width in reversed(widths):
            self.up.append(Level(before + width, width, config))
            before = width
        self.norm = nn.GroupNorm(GROUPS, before)
        self.last = zero(nn.Conv2d(before, image.channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time, h, skipped = self.time(t), self.first(x), []
        for i, level in enumerate(self.down):
            h = level(avg_pool2d(h, 2) if i else h, time)
            skipped.append(h)
        for i, level in enumerate(self.up):
            h = interpolate(h, scale_factor=2.0) if i else h
            h = level(torch.cat([h, skipped.pop()], dim=1), time)
        return cast(Tensor, self.last(silu(self.norm(h))))

    def flow(self, z: Tensor) -> Tensor:
        """Solves dx/dt = v(x, t) from x(0) = z to t = 1 in equal steps."""
        x = z.reshape(-1, self.image.channels, self.image.size, self.image.size)
        h = 1 / self.solver_steps
        for step in range(self.solver_steps):
            velocity = self._at(x, step * h)
            if self.solver == "midpoint":
                velocity = self._at(x + h / 2 * velocity, (step + 1 / 2) * h)
            x = x + h * velocity
        return x

    def _at(self, x: Tensor, t: float) -> Tensor:
        return cast(Tensor, self(x, x.new_full((1,), t)))


class TimeEmbedding(nn.Module):
    """Embeds times ``[N]`` as ``[N, width]``: sines and cosines (Vaswani et al. 2017, section 3.5)
    and two dense layers."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        frequencies = torch.exp(torch.linspace(0, math.log(1000), width // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        angles = t[:, None] * self.frequencies
        return cast(Tensor, self.layers(torch.cat([angles.sin(), angles.cos()], dim=1)))


class Level(nn.Module):
    """The blocks at one resolution."""

    def __init__(self, in_channels: int, out_channels: int, config: FlowMatchingConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(out_channels if i else in_channels, out_channels, 4 * config.width)
            for i in range(config.depth)
        )

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, time)
        return x


class Block(nn.Module):
    """A residual block of two convolutions; the time scales and shifts the features in between."""

    def __init__(self, in_channels: int, out_channels: int, time_width: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time = nn.Linear(time_width, 2 * out_channels)
        self.norm2 = nn.GroupNorm(GROUPS, out_channels)
        self.conv2 = zero(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.time(silu(time))[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(silu(self.norm1(x)))
        h = self.conv2(silu(self.norm2(h) * (1 + scale) + shift))
        return cast(Tensor, self.shortcut(x) + h)


def zero(layer: nn.Conv2d) -> nn.Conv2d:
    """``layer`` with zero weights, so that its residual block starts as the identity."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
