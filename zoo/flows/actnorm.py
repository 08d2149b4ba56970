"""Activation normalisation (Kingma and Dhariwal 2018, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.flows.bijection import per_image
from zoo.flows.channelwise import Affine, Channelwise
from zoo.flows.from_data import FromData, Start

LOG_SCALE_FACTOR = 3.0
"""The learned value is a third of the log-scale, as in the paper's official code: scales then move
three times as fast as weights under the same learning rate."""


class ActivationStatistics(FromData):
    """A bias and a log-scale for each channel, set once from the first batch that passes."""

    def __init__(self, channels: int, start: Start = "data") -> None:
        super().__init__(start)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def choose(self, x: Tensor) -> None:
        """Choose bias and scale so that each channel of ``x`` gets mean 0 and variance 1."""
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
    ``"zero"`` leaves the identity.
    """

    def __init__(self, channels: int, start: Start = "data") -> None:
        super().__init__()
        self.statistics = ActivationStatistics(channels, start)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.statistics.listening:
            self.statistics.set_from(x)
        scale = self.statistics.scale()
        y = torch.addcmul(_spread(self.statistics.bias * scale), x, _spread(scale))
        log_det = LOG_SCALE_FACTOR * self.statistics.log_scale.sum() * (x.shape[2] * x.shape[3])
        return y, per_image(log_det, x)

    def inverse(self, y: Tensor) -> Tensor:
        return y / _spread(self.statistics.scale()) - _spread(self.statistics.bias)

    def affine(self) -> Affine:
        scale, bias = self.statistics.scale_and_bias()
        return Affine(scale, bias * scale)


def _spread(values: Tensor) -> Tensor:
    return values[:, None, None]
