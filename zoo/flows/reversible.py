"""Backpropagation through a chain of bijections that stores only its output."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoo.flows.bijection import Bijection
from zoo.flows.gradients import Gradients


def forward_without_activations(layers: Bijection, x: Tensor) -> tuple[Tensor, Tensor]:
    """The output and log-determinant of a bijection whose input is recomputed from its output in
    the backward pass, by :meth:`zoo.flows.Bijection.backward_through`.

    Gradients equal those of standard backpropagation up to the rounding of the inverses.
    """
    parameters = [p for p in layers.parameters() if p.requires_grad]
    y, log_det = _Reversible.apply(layers, x, *parameters)  # type: ignore[no-untyped-call]
    return y, log_det


class _Reversible(torch.autograd.Function):
    """Takes the parameters as inputs, so that they are visible to autograd and its hooks."""

    @staticmethod
    def forward(ctx: Any, layers: Bijection, x: Tensor, *parameters: Tensor) -> Any:
        device = x.device.type
        # Without its cache, which would keep a copy of all weights, and hand those of the forward
        # pass, which have no gradients, to a backward pass in the same context.
        ctx.autocast = {
            "device_type": device,
            "enabled": torch.is_autocast_enabled(device),
            "dtype": torch.get_autocast_dtype(device),
            "cache_enabled": False,
        }
        with torch.autocast(**ctx.autocast):
            y, log_det, ctx.kept = layers.forward_keeping(x)
        ctx.layers, ctx.parameters = layers, parameters
        ctx.save_for_backward(y)
        return y, log_det

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor, grad_log_det: Tensor) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError("reversible memory has no second derivatives: use standard memory")
        (y,) = ctx.saved_tensors
        gradients = Gradients(ctx.parameters)
        with torch.autocast(**ctx.autocast):
            _, grad_x = ctx.layers.backward_through(y, grad_y, grad_log_det, ctx.kept, gradients)
        return None, grad_x, *gradients.take()
