"""The interface of the layers of a flow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zoo.flows.gradients import Gradients, recomputing
from zoo.freezing import Freezable, freeze_children

Kept = tuple[Any, ...]
"""Small tensors, or tuples of them, that a layer needs to backpropagate beside its output."""


class Bijection(Freezable):
    """An invertible map between image tensors of equal size.

    ``forward(x)`` takes ``[N, C, H, W]`` and returns ``(y, log_det)``: the output, and for each
    image the log-determinant of the Jacobian dy/dx in nats, shape ``[N]``. ``inverse(y)`` returns
    x. By the change of variables, log p(x) = log p(y) + log_det (Dinh et al. 2014, eq. 2).

    In a reversible :class:`zoo.flows.Composition`, :meth:`forward_keeping` and
    :meth:`backward_through` replace ``forward`` and autograd. Both have defaults.

    A frozen bijection is a bijection too: by default, the same one with frozen children.
    """

    log_det_per_pixel: float | None = None
    """The log-determinant over H * W where it does not depend on x, else None."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def forward_keeping(self, x: Tensor) -> tuple[Tensor, Tensor, Kept]:
        """Returns ``(y, log_det)`` of ``forward(x)`` and what :meth:`backward_through` needs beside
        ``y``, by default nothing.

        Called without autograd. A layer overrides it if its map depends on the batch or on state
        that ``forward`` changes, such as running statistics.
        """
        y, log_det = self(x)
        return y, log_det, ()

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        """Backpropagates through the layer, given its output instead of its input.

        ``grad_y`` ``[N, C, H, W]`` and ``grad_log_det`` ``[N]`` are the gradients of the loss in
        the outputs ``y`` and log_det, and ``kept`` is that of :meth:`forward_keeping`. Returns
        ``(x, grad_x)``, the input and the gradient in it, and adds those of the parameters to
        ``gradients``. Called without autograd; must not change its arguments or the layer's state.

        By default it inverts ``y`` and evaluates ``forward`` again, which takes two evaluations of
        the layer where one may do.
        """
        x = self.inverse(y).detach().requires_grad_()
        with recomputing(self):
            outputs = self(x)
        grad_x = gradients.add_through(self, outputs, [grad_y, grad_log_det], x)
        return x.detach(), torch.zeros_like(x) if grad_x is None else grad_x

    def frozen(self) -> nn.Module:
        return freeze_children(self)


def per_channel(values: Tensor) -> Tensor:
    """``[C]`` as ``[C, 1, 1]``, to broadcast over ``[N, C, H, W]``."""
    return values[:, None, None]


def per_image(log_det: Tensor, x: Tensor) -> Tensor:
    """A log-determinant that is the same for every image of ``x``, as ``[N]``."""
    return log_det.expand(x.shape[0])


def in_dtype_of(x: Tensor, outputs: Tensor) -> Tensor:
    """``outputs`` in the dtype of ``x``, which differs under autocast; no operation otherwise."""
    return outputs if outputs.dtype == x.dtype else outputs.to(x.dtype)
