"""Layers that treat every pixel alike: affine maps of the channels, and how several become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows.bijection import Bijection

MOST_JOINED = 1024
"""Channels up to which layers are joined, since that may take a matrix."""


@dataclass(frozen=True)
class Affine:
    """y = weight x + bias, of the channels of a pixel, in float64: ``weight`` is ``[C, C]``, or
    ``[C]`` for a diagonal, and ``bias`` is ``[C]``."""

    weight: Tensor
    bias: Tensor

    @property
    def diagonal(self) -> bool:
        return self.weight.ndim == 1

    def then(self, after: Affine) -> Affine:
        """First this map, then ``after``."""
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
        """The map as it is in evaluation mode."""
        raise NotImplementedError

    def frozen(self) -> nn.Module:
        return FrozenChannelwise(self.affine(), _dtype([self]) or torch.get_default_dtype())


class FrozenChannelwise(Bijection):
    """An affine map of the channels and its inverse, each a convolution of one pixel or, where the
    map is diagonal, elementwise. Inverse and determinant were computed in float64."""

    weight: Tensor
    inverse_weight: Tensor
    bias: Tensor | None
    inverse_bias: Tensor | None

    def __init__(self, affine: Affine, dtype: torch.dtype) -> None:
        super().__init__()
        self.log_det_per_pixel: float = affine.log_abs_det()
        for name, one in (("", affine), ("inverse_", affine.inverse())):
            kernel = one.weight if one.diagonal else one.weight[:, :, None, None]
            self.register_buffer(f"{name}weight", kernel.to(dtype))
            bias = one.bias.to(dtype) if one.bias.any() else None
            self.register_buffer(f"{name}bias", bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = self.log_det_per_pixel * (x.shape[2] * x.shape[3])
        return _map(x, self.weight, self.bias), x.new_full((x.shape[0],), log_det)

    def inverse(self, y: Tensor) -> Tensor:
        return _map(y, self.inverse_weight, self.inverse_bias)


def join(layers: Sequence[Channelwise]) -> list[nn.Module]:
    """Layers one after another, frozen into one; or each on its own, where one would be a matrix
    that is far larger than they are."""
    dtype = _dtype(layers)
    if len(layers) == 1 or dtype is None or len(layers[0].affine().bias) > MOST_JOINED:
        return [layer.frozen() for layer in layers]
    return [FrozenChannelwise(reduce(Affine.then, [layer.affine() for layer in layers]), dtype)]


def _map(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if weight.ndim == 1:
        scaled = x * weight[:, None, None]
        return scaled if bias is None else scaled + bias[:, None, None]
    if x.shape[2] == x.shape[3] == 1:  # a matrix product, where a convolution is slower
        return F.linear(x.flatten(1), weight.flatten(1), bias)[:, :, None, None]
    return F.conv2d(x, weight, bias)


def _dtype(layers: Sequence[nn.Module]) -> torch.dtype | None:
    """That of the layers' numbers; None where they have none but whole ones."""
    found = (tensor.dtype for layer in layers for tensor in layer.state_dict().values())
    return next((dtype for dtype in found if dtype.is_floating_point), None)
