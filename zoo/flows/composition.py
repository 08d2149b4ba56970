"""Sequences of bijections, which store or recompute their activations."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Bijection, Kept
from zoo.flows.channelwise import Channelwise, join
from zoo.flows.gradients import Gradients
from zoo.flows.reversible import forward_without_activations
from zoo.freezing import frozen_parts


class Composition(Bijection):
    """Bijections one after another; their log-determinants add up.

    With ``reversible=True`` the backward pass recomputes the intermediate activations from the
    output, layer by layer, instead of storing them, so that the memory of training does not grow
    with the number of layers (Gomez et al. 2017, The Reversible Residual Network).
    """

    def __init__(self, layers: Iterable[Bijection], reversible: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.reversible = reversible

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.reversible and torch.is_grad_enabled():
            return forward_without_activations(self, x)
        log_det = x.new_zeros(x.shape[0])
        for layer in self.layers:
            x, layer_log_det = layer(x)
            log_det = log_det + layer_log_det
        return x, log_det

    def inverse(self, y: Tensor) -> Tensor:
        for layer in reversed(self.layers):
            y = layer.inverse(y)  # type: ignore[operator]
        return y

    def forward_keeping(self, x: Tensor) -> tuple[Tensor, Tensor, Kept]:
        log_det, kept = x.new_zeros(x.shape[0]), []
        for layer in self.layers:
            x, layer_log_det, layer_kept = layer.forward_keeping(x)  # type: ignore[operator]
            log_det = log_det + layer_log_det
            kept.append(layer_kept)
        return x, log_det, tuple(kept)

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        for layer, layer_kept in zip(reversed(self.layers), reversed(kept), strict=True):
            y, grad_y = layer.backward_through(y, grad_y, grad_log_det, layer_kept, gradients)  # type: ignore[operator]
        return y, grad_y

    def frozen(self) -> nn.Module:
        layers: list[nn.Module] = []
        for channelwise, group in groupby(self.layers, lambda m: isinstance(m, Channelwise)):
            run = list(group)
            layers += join(run) if channelwise else [frozen_parts(layer) for layer in run]  # type: ignore[arg-type]
        return FrozenComposition(layers)  # type: ignore[arg-type]


class FrozenComposition(Composition):
    """A composition of frozen layers, which adds up constant log-determinants first."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        constant, log_det = 0.0, None
        for layer in self.layers:
            assert isinstance(layer, Bijection)
            pixels = x.shape[2] * x.shape[3]
            x, layer_log_det = layer(x)
            if layer.log_det_per_pixel is not None:
                constant += layer.log_det_per_pixel * pixels
            else:
                log_det = layer_log_det if log_det is None else log_det + layer_log_det
        if log_det is None:
            return x, x.new_full((x.shape[0],), constant)
        return x, log_det + constant if constant else log_det
