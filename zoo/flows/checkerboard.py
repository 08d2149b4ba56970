"""Couplings between the two colors of a checkerboard of pixels (RealNVP, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Kept
from zoo.flows.coupling import Coupling, Scale
from zoo.flows.gradients import Gradients, through_shift_and_scale


def checkerboard(size: int, odd: bool = False) -> Tensor:
    """``[1, 1, size, size]``: 1 where row + column is even, or with ``odd`` where it is odd, else
    0."""
    index = torch.arange(size)
    return ((index[:, None] + index + int(odd) + 1) % 2).float()[None, None]


class CheckerboardCoupling(Coupling):
    """y = b x + (1 - b) (x + t(b x)) s(b x), with a checkerboard b as mask (paper, eq. 9, with the
    shift before the scale as in the official code).

    ``network`` maps b x, ``[N, C, size, size]``, to the shift t, and with a ``scale`` to twice as
    many channels: t and the raw scale. Pixels where row + column is even stay, with ``odd=True``
    the others.
    """

    mask: Tensor

    def __init__(
        self, network: nn.Module, size: int, odd: bool = False, scale: Scale | None = None
    ) -> None:
        super().__init__(network, scale)
        self.register_buffer("mask", checkerboard(size, odd), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(x)
        return (x + shift) * log_scale.exp(), log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        shift, log_scale = self._shift_and_log_scale(y)
        return y * torch.exp(-log_scale) - shift

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        x, grad_x, through_network = through_shift_and_scale(
            self, self._shift_and_log_scale, y, y, grad_y, grad_log_det, gradients
        )
        return x, grad_x if through_network is None else grad_x + through_network

    def _shift_and_log_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """t and log s, both 0 at the pixels that stay."""
        shift, raw = self.shift_and_raw(x * self.mask)
        changes = 1 - self.mask
        log_scale = torch.zeros_like(x) if self.scale is None else self.scale(raw) * changes
        return shift * changes, log_scale
