"""Layers that apply one affine map to the channels of every pixel, and joining several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows.bijection import Bijection, per_channel

MAX_JOINED_CHANNELS = 1024
"""Layers of more channels are not joined, since the result may need a full matrix."""


@dataclass(frozen=True)
class Affine:
    """y = weight x + bias on the channels of a pixel, in float64: ``weight`` is ``[C, C]``, or
    ``[C]`` for a diagonal, and ``bias`` is ``[C]``."""

    weight: Tensor
    bias: Tensor

    @property
    def diagonal(self) -> bool:
        return self.weight.ndim == 1

    def then(self, after: Affine) -> Affine:
        """The composition: this map first, then ``after``."""
        if after.diagonal:
            rows = after.weight if self.diagonal else after.weight[:, None]
            return Affine(rows * self.weight, after.weight * self.bias + after.bias)
        columns = after.weight * self.weight if self.diagonal else after.weight @ self.weight
        return Affine(columns, after.weight @ self.bias + after.bias)

    def inverse(self) -> Affine:
        if self.diagonal:
            return Affine(1 / self.weight, -self.bias / self.weight)
        weight = torch.linalg.inv(self.weight)
        return Affine(weight, -weight @ self.bias)

    def log_abs_det(self) -> float:
        """log|det weight|, in nats."""
        if self.diagonal:
            return float(self.weight.abs().log().sum())
        return float(torch.linalg.slogdet(self.weight)[1])


class Channelwise(Bijection):
    """A bijection that is one affine map of the channels at every pixel."""

    def affine(self) -> Affine:
        """The map in evaluation mode."""
        raise NotImplementedError

    def frozen(self) -> nn.Module:
        return FrozenChannelwise(self.affine(), _dtype([self]) or torch.get_default_dtype())


class FrozenChannelwise(Bijection):
    """An affine map of the channels and its inverse, each a 1x1 convolution or, for a diagonal map,
    elementwise. Inverse and determinant are computed in float64."""

    weight: Tensor
    inverse_weight: Tensor
    bias: Tensor | None
    inverse_bias: Tensor | None

    def __init__(self, affine: Affine, dtype: torch.dtype) -> None:
        super().__init__()
        self.log_det_per_pixel: float = affine.log_abs_det()
        for prefix, direction in (("", affine), ("inverse_", affine.inverse())):
            weight = direction.weight
            kernel = weight if direction.diagonal else weight[:, :, None, None]
            self.register_buffer(f"{prefix}weight", kernel.to(dtype))
            bias = direction.bias.to(dtype) if direction.bias.any() else None
            self.register_buffer(f"{prefix}bias", bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = self.log_det_per_pixel * (x.shape[2] * x.shape[3])
        return _map(x, self.weight, self.bias), x.new_full((x.shape[0],), log_det)

    def inverse(self, y: Tensor) -> Tensor:
        return _map(y, self.inverse_weight, self.inverse_bias)


def join(layers: Sequence[Channelwise]) -> list[nn.Module]:
    """Freezes consecutive layers into one, or each by itself where the joint matrix would be far
    larger than the layers."""
    dtype = _dtype(layers)
    if len(layers) == 1 or dtype is None or len(layers[0].affine().bias) > MAX_JOINED_CHANNELS:
        return [layer.frozen() for layer in layers]
    return [FrozenChannelwise(reduce(Affine.then, [layer.affine() for layer in layers]), dtype)]


def _map(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if weight.ndim == 1:
        scaled = x * per_channel(weight)
        return scaled if bias is None else scaled + per_channel(bias)
    if x.shape[2] == x.shape[3] == 1:  # a matrix product: faster than a convolution of one pixel
        return F.linear(x.flatten(1), weight.flatten(1), bias)[:, :, None, None]
    return F.conv2d(x, weight, bias)


def _dtype(layers: Sequence[nn.Module]) -> torch.dtype | None:
    """The floating-point dtype of the layers, or None if they only hold integers."""
    dtypes = (tensor.dtype for layer in layers for tensor in layer.state_dict().values())
    return next((dtype for dtype in dtypes if dtype.is_floating_point), None)
