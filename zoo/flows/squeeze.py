"""Squeeze: pixels become channels (Dinh et al. 2017, section 3.6)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from zoo.flows.bijection import Bijection, Kept
from zoo.flows.gradients import Gradients


class Squeeze(Bijection):
    """``[N, C, H, W]`` to ``[N, 4C, H/2, W/2]``: a 2x2 square of pixels becomes four channels."""

    log_det_per_pixel = 0.0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return F.pixel_unshuffle(x, 2), x.new_zeros(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        return F.pixel_shuffle(y, 2)

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        return self.inverse(y), self.inverse(grad_y)
