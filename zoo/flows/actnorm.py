"""Activation normalization (Kingma and Dhariwal 2018, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Kept, per_channel, per_image
from zoo.flows.channelwise import Affine, Channelwise
from zoo.flows.from_data import FromData, Start
from zoo.flows.gradients import Gradients

LOG_SCALE_FACTOR = 3.0
"""log(scale) over the learned parameter, as in the paper's official code: at the same learning
rate, log-scales change three times as fast as weights."""


class ActivationStatistics(FromData):
    """Bias and log-scale of each channel, set once from the first batch."""

    def __init__(self, channels: int, start: Start = "data") -> None:
        super().__init__(start)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def set_parameters(self, x: Tensor) -> None:
        """Sets bias and scale so that each channel of ``x`` gets mean 0 and variance 1."""
        mean = x.mean((0, 2, 3))
        std = x.var((0, 2, 3), correction=0).sqrt()
        self.bias.data.copy_(-mean)
        self.log_scale.data.copy_(-torch.log(std + 1e-6) / LOG_SCALE_FACTOR)

    def scale(self) -> Tensor:
        return torch.exp(LOG_SCALE_FACTOR * self.log_scale)

    def scale_and_bias(self) -> tuple[Tensor, Tensor]:
        """Both in float64, for freezing."""
        return torch.exp(LOG_SCALE_FACTOR * self.log_scale.double()), self.bias.double()


class ActNorm(Channelwise):
    """y = (x + bias) * scale for each channel; log-determinant H * W * sum(log scale).

    ``start="data"`` sets bias and scale from the first batch (zero mean, unit variance),
    ``"zero"`` starts as the identity.
    """

    def __init__(self, channels: int, start: Start = "data") -> None:
        super().__init__()
        self.statistics = ActivationStatistics(channels, start)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.statistics.initializing:
            self.statistics.initialize(x)
        scale = self.statistics.scale()
        y = torch.addcmul(per_channel(self.statistics.bias * scale), x, per_channel(scale))
        log_det = LOG_SCALE_FACTOR * self.statistics.log_scale.sum() * (x.shape[2] * x.shape[3])
        return y, per_image(log_det, x)

    def inverse(self, y: Tensor) -> Tensor:
        return y / per_channel(self.statistics.scale()) - per_channel(self.statistics.bias)

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        scale, bias = self.statistics.scale(), self.statistics.bias
        x, grad_x = self.inverse(y), grad_y * per_channel(scale)
        pixels = y.shape[2] * y.shape[3]
        grad_log_scale = (grad_y * y).sum((0, 2, 3)) + grad_log_det.sum() * pixels
        gradients.add(bias, grad_x.sum((0, 2, 3)))
        gradients.add(self.statistics.log_scale, LOG_SCALE_FACTOR * grad_log_scale)
        return x, grad_x

    def affine(self) -> Affine:
        scale, bias = self.statistics.scale_and_bias()
        return Affine(scale, bias * scale)
