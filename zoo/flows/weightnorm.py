"""Convolutions with weight normalization (Salimans and Kingma 2016)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows.convolution import plain_convolution
from zoo.freezing import Freezable


class WeightNormConv2d(Freezable):
    """A convolution that keeps the size, with weights g v / |v| for each output channel.

    ``direction`` v is ``[out, in, kernel, kernel]`` and ``scale`` g is ``[out]``. With
    ``scaled=False``, for a convolution whose output is normalized, g = 1 and ``scale`` is None.
    Initial values are those of RealNVP's official code: v uniform in [-sqrt(2/in), sqrt(2/in)],
    g = kernel / sqrt(6), zero bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        scaled: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        bound = math.sqrt(2 / in_channels)
        shape = (out_channels, in_channels, kernel, kernel)
        self.direction = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        scale = torch.full((out_channels,), kernel / math.sqrt(6))
        self.scale = nn.Parameter(scale) if scaled else None
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.padding = kernel // 2

    def weight(self) -> Tensor:
        """g v / |v|, ``[out, in, kernel, kernel]``."""
        factor = torch.rsqrt(self.direction.square().sum((1, 2, 3), keepdim=True))
        if self.scale is not None:
            factor = factor * self.scale[:, None, None, None]
        return self.direction * factor

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight(), self.bias, padding=self.padding)

    def frozen(self) -> nn.Module:
        dtype = self.direction.dtype
        return plain_convolution(self.double().weight(), self.bias, dtype)
