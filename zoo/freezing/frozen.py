"""Networks for inference alone: what training needs is worked out beforehand, in float64.

A frozen network computes what the network does, with plain weights: nothing is normalised, inverted
or decomposed any more when a picture passes. Exporters freeze what they write down.
"""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from zoo.freezing.polyphase import (
    ELEMENTWISE,
    Doubling,
    DoublingAndLast,
    Phases,
    is_doubling,
    is_last,
)

Module = TypeVar("Module", bound=nn.Module)

MOST_UNITS = 1024
"""Numbers in a picture up to which a transposed convolution of it may become dense."""

_LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Freezable(nn.Module):
    """A module that knows what takes its place in a frozen network."""

    def frozen(self) -> nn.Module:
        """A module that computes the same in evaluation mode.

        Called on a copy that nobody else has, so it may change it and use its parts.
        """
        raise NotImplementedError


def freeze(network: Module) -> Module:
    """A copy of ``network`` in evaluation mode, frozen; ``network`` stays as it is.

    Each :class:`Freezable` is replaced by what it gives, all layers of ``zoo.flows`` among them.
    Weights with a parametrization, spectral normalisation say, become plain; batch normalisation
    behind a dense or convolutional layer in an ``nn.Sequential`` moves into its weights, and a
    transposed convolution of so small a picture that each of its outputs needs all of it becomes
    dense, one that doubles the size plain convolutions (:mod:`zoo.freezing.polyphase`). Anything
    else stays, so code around the layers, ``network.inverse`` say, runs as before.
    Weights are computed in float64 and kept in the dtype that they had.
    """
    made = frozen_parts(copy.deepcopy(network).eval().requires_grad_(False))
    return made.eval().requires_grad_(False)  # type: ignore[return-value]


def frozen_parts(module: nn.Module) -> nn.Module:
    """``module``, changed in place, or what takes its place; for :meth:`Freezable.frozen`."""
    return module.frozen() if isinstance(module, Freezable) else freeze_children(module)


def freeze_children(module: Module) -> Module:
    """``module`` with its children frozen in place; for :meth:`Freezable.frozen`."""
    if parametrize.is_parametrized(module):
        _make_plain(module)
    for name, child in list(module.named_children()):
        setattr(module, name, frozen_parts(child))
    if isinstance(module, nn.Sequential):
        _fold_norms(module)
        _make_dense(module)
        _make_phases(module)
    return module


def scale_outputs(layer: nn.Module, scale: Tensor, shift: Tensor | None = None) -> None:
    """Multiply the outputs of a dense or convolutional layer by ``scale``, ``[out]``, and add
    ``shift``, by its weights."""
    assert isinstance(layer, _LINEAR)
    weight, scale = layer.weight.detach(), scale.double()
    bias = layer.bias.detach().double() if layer.bias is not None else torch.zeros_like(scale)
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    spread = [-1 if dimension == axis else 1 for dimension in range(weight.ndim)]
    bias = bias * scale if shift is None else bias * scale + shift.double()
    layer.weight = plain(weight.double() * scale.reshape(spread), weight.dtype)
    layer.bias = plain(bias, weight.dtype)


def plain(values: Tensor, dtype: torch.dtype) -> nn.Parameter:
    """``values`` as a weight that is trained no more."""
    return nn.Parameter(values.detach().to(dtype).clone(), requires_grad=False)


class ScaleAndShift(nn.Module):
    """y = x * scale + shift for each channel of ``[N, C, H, W]``: normalisation, frozen."""

    def __init__(self, scale: Tensor, shift: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.scale, self.shift = plain(scale, dtype), plain(shift, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale[:, None, None] + self.shift[:, None, None]


def as_affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Batch normalisation in evaluation mode as a scale and a shift of each channel, float64."""
    assert isinstance(norm, _NORMS)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.affine:
        scale = scale * norm.weight.detach().double()
    shift = -norm.running_mean.double() * scale
    return scale, shift + norm.bias.detach().double() if norm.affine else shift


def _make_plain(module: nn.Module) -> None:
    # Torch's own removal changes the layer's class, which copies of the layer share.
    parts = module.parametrizations
    assert isinstance(parts, nn.ModuleDict)
    values = {name: getattr(module, name).detach().clone() for name in parts}
    del module.parametrizations
    module.__class__ = type(module).__bases__[0]
    for name, value in values.items():
        setattr(module, name, nn.Parameter(value, requires_grad=False))


def _fold_norms(layers: nn.Sequential) -> None:
    for (_, before), (name, norm) in pairwise(list(layers.named_children())):
        if (
            isinstance(before, _LINEAR)
            and isinstance(norm, _NORMS)
            and norm.running_mean is not None
            and getattr(before, "groups", 1) == 1
        ):
            scale_outputs(before, *as_affine(norm))
            setattr(layers, name, nn.Identity())


def _make_dense(layers: nn.Sequential) -> None:
    """A transposed convolution behind ``nn.Unflatten`` whose output is no larger than its kernel
    has as many multiply-adds as a dense layer, which for so few pixels is several times as fast."""
    for (name, shape), (following, layer) in pairwise(list(layers.named_children())):
        if not isinstance(shape, nn.Unflatten) or not isinstance(layer, nn.ConvTranspose2d):
            continue
        size = tuple(shape.unflattened_size)
        if len(size) != 3 or min(size[1:]) < 1:
            continue
        inputs, weight = (layer.in_channels, *size[1:]), layer.weight
        units = math.prod(inputs)
        exact = copy.deepcopy(layer).double()
        zero = torch.zeros(1, *inputs, dtype=torch.float64, device=weight.device)
        start = exact(zero)
        if math.prod(start.shape[2:]) > math.prod(layer.kernel_size) or units > MOST_UNITS:
            continue
        each = torch.eye(units, dtype=torch.float64, device=weight.device)
        matrix = (exact(each.reshape(units, *inputs)) - start).flatten(1).T
        dense = nn.Linear(units, len(matrix), device="meta")
        dense.weight, dense.bias = plain(matrix, weight.dtype), plain(start.flatten(), weight.dtype)
        setattr(layers, name, dense)
        setattr(layers, following, nn.Unflatten(1, tuple(start.shape[1:])))


def _make_phases(layers: nn.Sequential) -> None:
    """Transposed convolutions that double the size, each with what is elementwise behind it, and
    with the convolution behind that where it is of few outputs."""
    named = list(layers.named_children())
    for first, (name, layer) in enumerate(named):
        if not is_doubling(layer):
            continue
        end = first + 1
        while end < len(named) and isinstance(named[end][1], ELEMENTWISE):
            end += 1
        activation = nn.Sequential(*(one for _, one in named[first + 1 : end]))
        phases = Phases(layer, activation)  # type: ignore[arg-type]
        if end < len(named) and is_last(named[end][1]):
            setattr(layers, name, DoublingAndLast(phases, named[end][1]))  # type: ignore[arg-type]
            end += 1
        else:
            setattr(layers, name, Doubling(phases))
        for joined, _ in named[first + 1 : end]:
            setattr(layers, joined, nn.Identity())
