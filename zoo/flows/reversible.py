"""Backpropagation through a chain of bijections that stores only its output."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def forward_without_activations(layers: nn.ModuleList, x: Tensor) -> tuple[Tensor, Tensor]:
    """The output and log-determinant of consecutive bijections, whose inputs are recomputed from
    their outputs in the backward pass.

    Gradients equal those of standard backpropagation up to the rounding of the inverses.
    """
    parameters = [p for p in layers.parameters() if p.requires_grad]
    y, log_det = _Reversible.apply(layers, x, *parameters)  # type: ignore[no-untyped-call]
    return y, log_det


class _Reversible(torch.autograd.Function):
    """Takes the parameters as inputs, so that they are visible to autograd and its hooks."""

    @staticmethod
    def forward(ctx: Any, layers: nn.ModuleList, x: Tensor, *parameters: Tensor) -> Any:
        y = x
        log_det = x.new_zeros(x.shape[0])
        for layer in layers:
            y, layer_log_det = layer(y)
            log_det = log_det + layer_log_det
        ctx.layers, ctx.parameters = layers, parameters
        device = x.device.type
        ctx.autocast = {
            "device_type": device,
            "enabled": torch.is_autocast_enabled(device),
            "dtype": torch.get_autocast_dtype(device),
        }
        ctx.save_for_backward(y)
        return y, log_det

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        grad_y, grad_log_det = gradients
        (y,) = ctx.saved_tensors
        by_parameter: dict[int, Tensor] = {}
        for layer in reversed(ctx.layers):
            own = [p for p in layer.parameters() if p.requires_grad]
            with torch.autocast(**ctx.autocast):
                with torch.no_grad():
                    x = layer.inverse(y)
                x.requires_grad_()
                with torch.enable_grad():
                    recomputed, log_det = layer(x)
            outputs, weights = [recomputed], [grad_y]
            if log_det.requires_grad:
                outputs.append(log_det)
                weights.append(grad_log_det)
            grad_y, *grads = torch.autograd.grad(outputs, [x, *own], weights, allow_unused=True)
            by_parameter.update((id(p), g) for p, g in zip(own, grads, strict=True))
            y = x.detach()
        return None, grad_y, *(by_parameter.get(id(p)) for p in ctx.parameters)
