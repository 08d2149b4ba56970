"""Couplings between the black and the white squares of a checkerboard (RealNVP, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Bijection, in_dtype_of
from zoo.flows.coupling import LearnedTanh


def checkerboard(size: int, odd: bool = False) -> Tensor:
    """``[1, 1, size, size]``: 1 where row + column is even, or odd where that is asked for; else
    0."""
    index = torch.arange(size)
    return ((index[:, None] + index + int(odd) + 1) % 2).float()[None, None]


class CheckerboardCoupling(Bijection):
    """y = b x + (1 - b) (x + t(b x)) exp(log s(b x)), the mask b a checkerboard (paper, eq. 9, with
    the shift before the scale as in its official code).

    ``network`` maps b x, ``[N, C, size, size]``, to t, ``[N, C, size, size]``; where ``scale`` is
    given, to twice as many channels: t and what ``scale`` makes log s of. Without it log s is 0.
    Pixels where row + column is even stay; with ``odd=True`` the others stay.
    """

    mask: Tensor

    def __init__(
        self, network: nn.Module, size: int, odd: bool = False, scale: LearnedTanh | None = None
    ) -> None:
        super().__init__()
        self.network, self.scale = network, scale
        self.register_buffer("mask", checkerboard(size, odd), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(x)
        return (x + shift) * log_scale.exp(), log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        shift, log_scale = self._shift_and_log_scale(y)
        return y * torch.exp(-log_scale) - shift

    def _shift_and_log_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """t and log s, both 0 at the pixels that stay."""
        said = in_dtype_of(x, self.network(x * self.mask))
        if self.scale is None:
            return said * (1 - self.mask), torch.zeros_like(x)
        shift, raw = said.chunk(2, dim=1)
        return shift * (1 - self.mask), self.scale(raw) * (1 - self.mask)
