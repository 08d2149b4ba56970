"""Activation normalisation (Kingma and Dhariwal 2018, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Bijection, per_image

Start = Literal["data", "zero"]

LOG_SCALE_FACTOR = 3.0
"""The learned value is a third of the log-scale, as in the paper's official code: scales then move
three times as fast as weights under the same learning rate."""


class ActivationStatistics(nn.Module):
    """A bias and a log-scale for each channel, set once from the first batch that passes.

    Which batch that is, is said from outside (:func:`initialise_from_data`), so that ``forward``
    never looks at a tensor's value to decide what to do. That it has happened is a buffer: saved
    with the weights, so that a loaded network is never set anew.
    """

    initialised: Tensor

    def __init__(self, channels: int, start: Start = "data") -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.tensor(start == "zero"))
        self.listening = False

    def set_from(self, x: Tensor) -> None:
        """Choose bias and scale so that each channel of ``x`` gets mean 0 and variance 1."""
        mean = x.mean((0, 2, 3))
        std = x.var((0, 2, 3), correction=0).sqrt()
        self.bias.data.copy_(-mean)
        self.log_scale.data.copy_(-torch.log(std + 1e-6) / LOG_SCALE_FACTOR)
        self.initialised.fill_(True)
        self.listening = False

    def scale(self) -> Tensor:
        return torch.exp(LOG_SCALE_FACTOR * self.log_scale)


class ActNorm(Bijection):
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


def _spread(values: Tensor) -> Tensor:
    return values[:, None, None]


@torch.no_grad()
def initialise_from_data(network: nn.Module, forward: Callable[[], object]) -> None:
    """Call ``forward`` once; every activation normalisation that was never set, is set from what
    reaches it on the way. Those that were set before, in training or before saving, stay."""
    fresh = [
        module
        for module in network.modules()
        if isinstance(module, ActivationStatistics) and not module.initialised
    ]
    for module in fresh:
        module.listening = True
    try:
        if fresh:
            forward()
    finally:
        for module in fresh:
            module.listening = False
