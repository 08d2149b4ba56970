"""Gradients of layers that are recomputed in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

import torch
from torch import Tensor, nn

from zoo.objectives.buffers import restored_buffers

ALIGNMENT = 16
"""Elements between the starts of two gradients are a multiple of this."""

ShiftAndLogScale = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""``function(unchanged)`` returns shift and log scale of the other part, None where all are 0."""


class Gradients:
    """The gradients of parameters, in one block of memory for each dtype and device.

    Gradients that were allocated one by one, between large temporary arrays, would keep the memory
    around them from being used again, the more of them the deeper the network is.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._parameters = list(parameters)
        self._memory: dict[int, Tensor] = {}
        self._found: set[int] = set()
        ordered = sorted(self._parameters, key=_place)
        for _, group in groupby(ordered, _place):
            self._allocate(list(group))

    def add(self, parameter: Tensor, gradient: Tensor) -> None:
        """Adds a part of the gradient of ``parameter``, which may be used by several layers."""
        memory = self._memory.get(id(parameter))
        if memory is None:
            return
        if id(parameter) in self._found:
            memory += gradient
        else:
            memory.copy_(gradient)
            self._found.add(id(parameter))

    def add_through(
        self,
        module: nn.Module,
        outputs: Sequence[Tensor],
        gradients: Sequence[Tensor],
        x: Tensor | None = None,
    ) -> Tensor | None:
        """Backpropagates ``gradients`` of ``outputs`` to the parameters of ``module``, and returns
        the gradient of the leaf ``x``, or None if the outputs do not depend on it."""
        used = [i for i, output in enumerate(outputs) if output.requires_grad]
        own = [parameter for parameter in module.parameters() if parameter.requires_grad]
        leaves = own if x is None else [x, *own]
        if not used or not leaves:
            return None
        found = torch.autograd.grad(
            [outputs[i] for i in used], leaves, [gradients[i] for i in used], allow_unused=True
        )
        grad_x, rest = (None, found) if x is None else (found[0], found[1:])
        for parameter, gradient in zip(own, rest, strict=True):
            if gradient is not None:
                self.add(parameter, gradient)
        return grad_x

    def take(self) -> list[Tensor | None]:
        """Returns the gradients in the order of the parameters, None for those without one.

        Keeps no reference, so that autograd stores the tensors themselves and no copies.
        """
        memory, self._memory = self._memory, {}
        return [
            memory.pop(id(parameter), None) if id(parameter) in self._found else None
            for parameter in self._parameters
        ]

    def _allocate(self, parameters: Sequence[Tensor]) -> None:
        starts, end = [], 0
        for parameter in parameters:
            starts.append(end)
            end += -(-parameter.numel() // ALIGNMENT) * ALIGNMENT
        block = parameters[0].new_empty(end)
        for parameter, start in zip(parameters, starts, strict=True):
            # In the layout of the parameter, or autograd copies it.
            strides = torch.empty_like(parameter, device="meta").stride()
            self._memory[id(parameter)] = block.as_strided(parameter.shape, strides, start)


def through_shift_and_scale(
    module: nn.Module,
    function: ShiftAndLogScale,
    unchanged: Tensor,
    y: Tensor,
    grad_y: Tensor,
    grad_log_det: Tensor,
    gradients: Gradients,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Backpropagates through y = (x + shift) * exp(log_scale), whose log-determinant is the sum of
    ``log_scale``, with one evaluation of ``function``.

    ``function(unchanged)`` returns shift and log_scale, which depend on the parameters of
    ``module`` too. Returns x and the gradients of x and of ``unchanged``.
    """
    leaf = unchanged.detach().requires_grad_()
    with recomputing(module):
        shift, log_scale = function(leaf)
    if log_scale is None:
        grad_unchanged = gradients.add_through(module, [shift], [grad_y], leaf)
        return y - shift.detach(), grad_y, grad_unchanged
    scale = log_scale.detach().exp()
    grad_x = grad_y * scale
    grad_log_scale = grad_y * y + grad_log_det[:, None, None, None]
    grad_unchanged = gradients.add_through(
        module, [shift, log_scale], [grad_x, grad_log_scale], leaf
    )
    return y / scale - shift.detach(), grad_x, grad_unchanged


def through_second_half(
    module: nn.Module,
    function: ShiftAndLogScale,
    y: Tensor,
    grad_y: Tensor,
    grad_log_det: Tensor,
    gradients: Gradients,
) -> tuple[Tensor, Tensor]:
    """Backpropagates through a layer that shifts and scales the second half of the channels, as in
    :func:`through_shift_and_scale`, by a function of the first; returns x and its gradient."""
    (a, b), (grad_a, grad_b) = y.chunk(2, dim=1), grad_y.chunk(2, dim=1)
    b, grad_b, through_function = through_shift_and_scale(
        module, function, a, b, grad_b, grad_log_det, gradients
    )
    if through_function is not None:
        grad_a = grad_a + through_function
    return torch.cat([a, b], dim=1), torch.cat([grad_a, grad_b], dim=1)


@contextmanager
def recomputing(module: nn.Module) -> Iterator[None]:
    """Enables autograd, and afterwards restores the buffers of ``module``."""
    with restored_buffers(module), torch.enable_grad():
        yield


def _place(parameter: Tensor) -> tuple[str, str]:
    return str(parameter.dtype), str(parameter.device)
