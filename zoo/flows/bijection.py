"""What every layer of a flow is: a bijection that knows the log-determinant of its Jacobian."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Bijection(nn.Module):
    """An invertible map between image tensors of equal size.

    ``forward(x)`` takes ``[N, C, H, W]`` and returns ``(y, log_det)``: the output, and per image
    the log-determinant of the Jacobian dy/dx in nats, shape ``[N]``. ``inverse(y)`` gives ``x``
    back. By the change of variables, log p(x) = log p(y) + log_det (Dinh et al. 2014, eq. 2).
    """

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError


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
            from zoo.flows.reversible import forward_without_activations

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


def per_image(log_det: Tensor, x: Tensor) -> Tensor:
    """A log-determinant that is the same for every image of ``x``, as ``[N]``."""
    return log_det.expand(x.shape[0])
