"""The diagonal scaling at the end of a volume-preserving flow (NICE, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Kept, per_channel, per_image
from zoo.flows.channelwise import Affine, Channelwise
from zoo.flows.from_data import FromData, Start
from zoo.flows.gradients import Gradients


class Scaling(Channelwise, FromData):
    """y = x * exp(s), with one s for each channel; log-determinant H * W * sum(s).

    ``start="zero"`` is the identity, s = 0; ``"data"`` sets s from the first batch, so that each
    channel of y gets variance 1.
    """

    def __init__(self, channels: int, start: Start = "zero") -> None:
        FromData.__init__(self, start)
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def set_parameters(self, x: Tensor) -> None:
        std = x.var((0, 2, 3), correction=0).sqrt()
        self.log_scale.data.copy_(-torch.log(std + 1e-6))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.initializing:
            self.initialize(x)
        y = x * per_channel(self.log_scale.exp())
        return y, per_image(self.log_scale.sum() * (x.shape[2] * x.shape[3]), x)

    def inverse(self, y: Tensor) -> Tensor:
        return y * per_channel(torch.exp(-self.log_scale))

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        pixels = y.shape[2] * y.shape[3]
        grad_log_scale = (grad_y * y).sum((0, 2, 3)) + grad_log_det.sum() * pixels
        gradients.add(self.log_scale, grad_log_scale)
        return self.inverse(y), grad_y * per_channel(self.log_scale.exp())

    def affine(self) -> Affine:
        scale = self.log_scale.double().exp()
        return Affine(scale, torch.zeros_like(scale))
