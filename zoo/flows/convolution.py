"""Convolutions in the networks of Glow's couplings (Kingma and Dhariwal 2018, appendix B)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows.actnorm import LOG_SCALE_FACTOR, ActivationStatistics
from zoo.flows.from_data import Start
from zoo.freezing import Freezable, plain

LANES = 8
"""Channels that a processor convolves at a time; a remainder takes about twice as long each."""

MIN_CHANNELS_PER_PADDING = 3
"""Input channels for each channel that is only added to fill the lanes, at least."""


class _EdgeConv2d(Freezable):
    """A convolution that keeps the size and can tell the edge of the image.

    As in Glow's official code the input gets another channel, which is 1 outside the image and 0
    inside. The contribution of that channel depends on the position alone, so it is computed once
    for the batch.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel) * std)
        self.edge = (
            nn.Parameter(torch.randn(out_channels, 1, kernel, kernel) * std) if kernel > 1 else None
        )
        self.padding = kernel // 2

    def convolve(self, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """scale * (conv(x) + edge) + bias, with a scale and a bias for each output channel."""
        scale = scale[:, None, None, None]
        y = F.conv2d(x, self.weight * scale, bias, padding=self.padding)
        if self.edge is None:
            return y
        height, width = x.shape[2:]
        outside = F.pad(x.new_zeros(1, 1, height, width), [self.padding] * 4, value=1.0)
        return _add_to_each(y, F.conv2d(outside, self.edge * scale))

    def freeze_with(self, scale: Tensor, bias: Tensor) -> nn.Module:
        """:meth:`convolve` with ``scale`` and ``bias``, float64, folded into the weights."""
        scale = scale[:, None, None, None]
        weight = self.weight.double() * scale
        if self.edge is None:
            return plain_convolution(weight, bias, self.weight.dtype)
        return FrozenEdgeConv2d(weight, self.edge.double() * scale, bias, self.weight.dtype)


class FrozenEdgeConv2d(nn.Module):
    """A convolution with plain weights that can tell the edge of the image.

    If it has few inputs, they get a channel of ones: zero padding makes it 0 outside the image,
    which carries the same information as the channel that is 1 there. Further channels with zero
    weights fill the last :data:`LANES` where few are missing. If it has many inputs, the
    contribution of the edge, which is the same for all images, is added to the output.
    """

    edge: Tensor | None
    inside: Tensor

    def __init__(self, weight: Tensor, edge: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        few = weight.shape[1] < weight.shape[0]
        if few:
            weight = torch.cat([weight, -edge], dim=1)
            bias = bias + edge.sum((1, 2, 3))
            missing = -weight.shape[1] % LANES
            self.extra = 1 + missing if MIN_CHANNELS_PER_PADDING * missing <= weight.shape[1] else 1
            weight = F.pad(weight, [0, 0, 0, 0, 0, self.extra - 1])
        self.conv = plain_convolution(weight, bias, dtype)
        self.edge = None if few else plain(edge, dtype)
        self.register_buffer("inside", torch.zeros(1, 1, 1, 1, dtype=dtype, device=edge.device))
        self.padding = weight.shape[2] // 2

    def forward(self, x: Tensor) -> Tensor:
        if self.edge is None:
            y: Tensor = self.conv(F.pad(x, [0, 0, 0, 0, 0, self.extra], value=1.0))
            return y
        inside = self.inside.expand(1, 1, *x.shape[2:])
        outside = F.pad(inside, [self.padding] * 4, value=1.0)
        y = self.conv(x) + F.conv2d(outside, self.edge)
        return y


def plain_convolution(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> nn.Conv2d:
    """A convolution that keeps the size, with ``weight`` ``[out, in, k, k]`` and ``bias``
    ``[out]``."""
    out_channels, in_channels, kernel, _ = weight.shape
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, device="meta")
    conv.weight = plain(weight, dtype)
    conv.bias = None if bias is None else plain(bias, dtype)
    return conv


def _add_to_each(y: Tensor, edge: Tensor) -> Tensor:
    """``y + edge``, where ``edge`` is ``[1, C, H, W]``.

    The gradient of ``edge`` is a sum over the batch, which takes 30 times as long on a CPU if the
    order of the dimensions differs from that in memory.
    """
    if y.is_contiguous():
        return y + edge
    edge = edge.contiguous(memory_format=torch.channels_last)
    return (y.permute(0, 2, 3, 1) + edge.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ActNormConv2d(_EdgeConv2d):
    """A convolution followed by activation normalization, in one pass.

    ``[N, in, H, W]`` to ``[N, out, H, W]``: (conv(x) + bias) * scale, with the scale multiplied
    into the weights. Weights start as N(0, 0.05^2).
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, start: Start = "data"
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, std=0.05)
        self.statistics = ActivationStatistics(out_channels, start)

    def forward(self, x: Tensor) -> Tensor:
        if self.statistics.initializing:
            ones = torch.ones_like(self.statistics.bias)
            self.statistics.initialize(self.convolve(x, ones, torch.zeros_like(ones)).float())
        scale = self.statistics.scale()
        return self.convolve(x, scale, self.statistics.bias * scale)

    def frozen(self) -> nn.Module:
        scale, bias = self.statistics.scale_and_bias()
        return self.freeze_with(scale, bias * scale)


class ZeroConv2d(_EdgeConv2d):
    """The last convolution of a coupling's network, followed by a learned scale exp(3 s).

    All weights start at zero, so that a coupling starts as the identity (paper, section 3.3 and
    appendix B).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3) -> None:
        super().__init__(in_channels, out_channels, kernel, std=0.0)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.log_scale = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.exp(LOG_SCALE_FACTOR * self.log_scale)
        return self.convolve(x, scale, self.bias * scale)

    def frozen(self) -> nn.Module:
        scale = torch.exp(LOG_SCALE_FACTOR * self.log_scale.double())
        return self.freeze_with(scale, self.bias.double() * scale)
