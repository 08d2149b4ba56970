"""Frozen networks, for inference alone: training-time computations are done once, in float64.

A frozen network computes the same function with plain weights: nothing is normalized, inverted or
decomposed per batch. Exporters freeze a network before they convert it.
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

MAX_UNITS = 1024
"""Maximum number of values of an image whose transposed convolution may become dense."""

_LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Freezable(nn.Module):
    """A module that provides its own replacement in a frozen network."""

    def frozen(self) -> nn.Module:
        """Returns a module that computes the same in evaluation mode.

        Called on a private copy, which it may change and whose parts it may use.
        """
        raise NotImplementedError


def freeze(network: Module) -> Module:
    """Returns a frozen copy of ``network`` in evaluation mode; ``network`` is not changed.

    Each :class:`Freezable`, among them all layers of ``zoo.flows``, is replaced by its
    :meth:`~Freezable.frozen`. Parametrized weights, such as those with spectral normalization,
    become plain. In an ``nn.Sequential``, batch normalization after a dense or convolutional layer
    is folded into its weights; a transposed convolution of a small image becomes dense, and one
    that doubles the size becomes plain convolutions (:mod:`zoo.freezing.polyphase`). Everything
    else stays, so code around the layers, such as ``network.inverse``, runs as before. Weights are
    computed in float64 and keep their dtype.
    """
    frozen = frozen_parts(copy.deepcopy(network).eval().requires_grad_(False))
    return frozen.eval().requires_grad_(False)  # type: ignore[return-value]


def frozen_parts(module: nn.Module) -> nn.Module:
    """Returns ``module``, frozen in place, or its replacement; for :meth:`Freezable.frozen`."""
    return module.frozen() if isinstance(module, Freezable) else freeze_children(module)


def freeze_children(module: Module) -> Module:
    """Returns ``module`` with its children frozen in place; for :meth:`Freezable.frozen`."""
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
    """Folds a scale and a shift of the outputs, ``[out]``, into the weights of a dense or
    convolutional layer."""
    assert isinstance(layer, _LINEAR)
    weight, scale = layer.weight.detach(), scale.double()
    bias = layer.bias.detach().double() if layer.bias is not None else torch.zeros_like(scale)
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    shape = [-1 if dimension == axis else 1 for dimension in range(weight.ndim)]
    bias = bias * scale if shift is None else bias * scale + shift.double()
    layer.weight = plain(weight.double() * scale.reshape(shape), weight.dtype)
    layer.bias = plain(bias, weight.dtype)


def plain(values: Tensor, dtype: torch.dtype) -> nn.Parameter:
    """Returns ``values`` as a weight that is not trained."""
    return nn.Parameter(values.detach().to(dtype).clone(), requires_grad=False)


class ScaleAndShift(nn.Module):
    """Frozen normalization: y = x * scale + shift per channel of ``[N, C, H, W]``."""

    def __init__(self, scale: Tensor, shift: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.scale, self.shift = plain(scale, dtype), plain(shift, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale[:, None, None] + self.shift[:, None, None]


def as_affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Returns scale and shift per channel of batch normalization in evaluation mode, float64."""
    assert isinstance(norm, _NORMS)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.affine:
        scale = scale * norm.weight.detach().double()
    shift = -norm.running_mean.double() * scale
    return scale, shift + norm.bias.detach().double() if norm.affine else shift


def _make_plain(module: nn.Module) -> None:
    # Torch's own removal changes the class of the layer, which copies of the layer share.
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
    """Replaces transposed convolutions after ``nn.Unflatten`` whose output is at most as large as
    the kernel by dense layers, which take as many multiply-adds and are several times as fast."""
    for (name, unflatten), (layer_name, layer) in pairwise(list(layers.named_children())):
        if not isinstance(unflatten, nn.Unflatten) or not isinstance(layer, nn.ConvTranspose2d):
            continue
        size = tuple(unflatten.unflattened_size)
        if len(size) != 3 or min(size[1:]) < 1:
            continue
        inputs, weight = (layer.in_channels, *size[1:]), layer.weight
        units = math.prod(inputs)
        exact = copy.deepcopy(layer).double()
        zero = torch.zeros(1, *inputs, dtype=torch.float64, device=weight.device)
        bias = exact(zero)
        if math.prod(bias.shape[2:]) > math.prod(layer.kernel_size) or units > MAX_UNITS:
            continue
        identity = torch.eye(units, dtype=torch.float64, device=weight.device)
        matrix = (exact(identity.reshape(units, *inputs)) - bias).flatten(1).T
        dense = nn.Linear(units, len(matrix), device="meta")
        dense.weight, dense.bias = plain(matrix, weight.dtype), plain(bias.flatten(), weight.dtype)
        setattr(layers, name, dense)
        setattr(layers, layer_name, nn.Unflatten(1, tuple(bias.shape[1:])))


def _make_phases(layers: nn.Sequential) -> None:
    """Replaces transposed convolutions that double the size, each with the elementwise layers after
    it and, if it has few outputs, the convolution after those."""
    named = list(layers.named_children())
    for first, (name, layer) in enumerate(named):
        if not is_doubling(layer):
            continue
        end = first + 1
        while end < len(named) and isinstance(named[end][1], ELEMENTWISE):
            end += 1
        activation = nn.Sequential(*(layer for _, layer in named[first + 1 : end]))
        phases = Phases(layer, activation)  # type: ignore[arg-type]
        if end < len(named) and is_last(named[end][1]):
            setattr(layers, name, DoublingAndLast(phases, named[end][1]))  # type: ignore[arg-type]
            end += 1
        else:
            setattr(layers, name, Doubling(phases))
        for merged, _ in named[first + 1 : end]:
            setattr(layers, merged, nn.Identity())
