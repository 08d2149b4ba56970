"""The convolutions inside a coupling's network (Kingma and Dhariwal 2018, appendix B)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows.actnorm import LOG_SCALE_FACTOR, ActivationStatistics
from zoo.flows.from_data import Start
from zoo.freezing import Freezable, plain

LANES = 8
"""So many channels at a time a processor convolves, twice as fast as some that are left over."""

MOST_MORE = 3
"""One channel in so many, at most, may be there for that alone."""


class _EdgeConv2d(Freezable):
    """A convolution that keeps the size and knows where the picture ends.

    As in Glow's official code the input gets one more channel that is 1 outside the picture and
    0 inside. What that channel adds depends on the place alone, so it is computed once for the
    batch and not convolved with every picture.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel) * std)
        self.edge = (
            nn.Parameter(torch.randn(out_channels, 1, kernel, kernel) * std) if kernel > 1 else None
        )
        self.padding = kernel // 2

    def convolve(self, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """scale * (conv(x) + edges) + bias, with a scale and a bias for each output channel."""
        spread = scale[:, None, None, None]
        y = F.conv2d(x, self.weight * spread, bias, padding=self.padding)
        if self.edge is None:
            return y
        height, width = x.shape[2:]
        outside = F.pad(x.new_zeros(1, 1, height, width), [self.padding] * 4, value=1.0)
        return _add_to_each(y, F.conv2d(outside, self.edge * spread))

    def freeze_with(self, scale: Tensor, bias: Tensor) -> nn.Module:
        """The same as :meth:`convolve` with ``scale`` and ``bias``, float64, in the weights."""
        spread = scale[:, None, None, None]
        weight = self.weight.double() * spread
        if self.edge is None:
            return plain_convolution(weight, bias, self.weight.dtype)
        return FrozenEdgeConv2d(weight, self.edge.double() * spread, bias, self.weight.dtype)


class FrozenEdgeConv2d(nn.Module):
    """A convolution with plain weights that knows where the picture ends.

    With few inputs a channel of ones goes in beside them: outside it is 0, as all are, so it says
    as much as the one that is 1 outside. Where a few more, which add nothing, make whole
    :data:`LANES` of them, these go along. With many inputs, what the edges add is added to what
    comes out, where it is the same for all pictures.
    """

    edge: Tensor | None
    inside: Tensor

    def __init__(self, weight: Tensor, edge: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        few = weight.shape[1] < weight.shape[0]
        if few:
            weight = torch.cat([weight, -edge], dim=1)
            bias = bias + edge.sum((1, 2, 3))
            more = -weight.shape[1] % LANES
            self.beside = 1 + more if MOST_MORE * more <= weight.shape[1] else 1
            weight = F.pad(weight, [0, 0, 0, 0, 0, self.beside - 1])
        self.conv = plain_convolution(weight, bias, dtype)
        self.edge = None if few else plain(edge, dtype)
        self.register_buffer("inside", torch.zeros(1, 1, 1, 1, dtype=dtype, device=edge.device))
        self.padding = weight.shape[2] // 2

    def forward(self, x: Tensor) -> Tensor:
        if self.edge is None:
            y: Tensor = self.conv(F.pad(x, [0, 0, 0, 0, 0, self.beside], value=1.0))
            return y
        inside = self.inside.expand(1, 1, *x.shape[2:])
        outside = F.pad(inside, [self.padding] * 4, value=1.0)
        y = self.conv(x) + F.conv2d(outside, self.edge)
        return y


def plain_convolution(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> nn.Conv2d:
    """A convolution that keeps the size, with ``weight`` ``[out, in, k, k]`` and ``bias``
    ``[out]``."""
    out_channels, in_channels, kernel, _ = weight.shape
    made = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, device="meta")
    made.weight = plain(weight, dtype)
    made.bias = None if bias is None else plain(bias, dtype)
    return made


def _add_to_each(y: Tensor, edges: Tensor) -> Tensor:
    """``y + edges``. The gradient of ``edges`` is a sum over the batch, which on a CPU takes 30
    times as long where the dimensions are not in the order in which they lie in memory."""
    if y.is_contiguous():
        return y + edges
    edges = edges.contiguous(memory_format=torch.channels_last)
    return (y.permute(0, 2, 3, 1) + edges.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ActNormConv2d(_EdgeConv2d):
    """A convolution with activation normalisation behind it, in one pass.

    ``[N, in, H, W]`` to ``[N, out, H, W]``: (conv(x) + bias) * scale, the scale multiplied into
    the weights. Weights start as N(0, 0.05^2).
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, start: Start = "data"
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, std=0.05)
        self.statistics = ActivationStatistics(out_channels, start)

    def forward(self, x: Tensor) -> Tensor:
        if self.statistics.listening:
            one = torch.ones_like(self.statistics.bias)
            self.statistics.set_from(self.convolve(x, one, torch.zeros_like(one)).float())
        scale = self.statistics.scale()
        return self.convolve(x, scale, self.statistics.bias * scale)

    def frozen(self) -> nn.Module:
        scale, bias = self.statistics.scale_and_bias()
        return self.freeze_with(scale, bias * scale)


class ZeroConv2d(_EdgeConv2d):
    """The last convolution of a coupling's network: all weights zero, so that a coupling starts as
    the identity, and a learned scale exp(3 s) behind it (paper, section 3.3, and appendix B)."""

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
