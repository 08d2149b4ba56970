"""The logit, from the unit cube to all of space (Dinh et al. 2017, section 4.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.flows.bijection import Bijection


class Logit(Bijection):
    """y = logit(p) with p = alpha + (1 - 2 alpha) x, for x in [0, 1].

    The log-determinant is the sum over an image of log(1 - 2 alpha) - log p - log(1 - p).
    ``alpha``, in (0, 1/2), keeps y finite at 0 and 1. The paper has p = alpha + (1 - alpha) x,
    which is 1 at x = 1; this form is that of its official code. For any y, ``inverse(y)`` is within
    alpha / (1 - 2 alpha) of [0, 1].
    """

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        p = self.alpha + (1 - 2 * self.alpha) * x
        y = torch.log(p) - torch.log1p(-p)
        log_det = F.softplus(y) + F.softplus(-y) + math.log(1 - 2 * self.alpha)
        return y, log_det.sum((1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        return (torch.sigmoid(y) - self.alpha) / (1 - 2 * self.alpha)
