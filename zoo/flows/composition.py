"""Bijections one after another, with their activations kept or computed again."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Bijection
from zoo.flows.reversible import forward_without_activations


class Composition(Bijection):
    """Bijections one after another; the log-determinants add up.

    With ``reversible=True`` the intermediate activations are not kept for the backward pass but
    computed again from the output, layer by layer, so that the memory that training takes does
    not grow with the number of layers (Gomez et al. 2017, The Reversible Residual Network).
    """

    def __init__(self, layers: Iterable[Bijection], reversible: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.reversible = reversible

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.reversible and torch.is_grad_enabled():
            return forward_without_activations(self.layers, x)
        log_det = x.new_zeros(x.shape[0])
        for layer in self.layers:
            x, layer_log_det = layer(x)
            log_det = log_det + layer_log_det
        return x, log_det

    def inverse(self, y: Tensor) -> Tensor:
        for layer in reversed(self.layers):
            y = layer.inverse(y)  # type: ignore[operator]
        return y
