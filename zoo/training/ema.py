"""Exponential moving average (EMA) of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def ema_of(network: nn.Module, decay: float) -> AveragedModel:
    """Returns an exponential moving average of the parameters; buffers are copied.

    The decay is (1 + n) / (10 + n) after n updates, up to ``decay``, so that short runs do not
    retain the random initial weights.
    """
    return _EMA(network, decay)


class _EMA(AveragedModel):
    """EMA without synchronization; torch's own copies its CPU counter to the device at each
    step."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network)
        self._decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        n = int(self.n_averaged.item())
        weight = 1 - min(self._decay, (1 + n) / (10 + n)) if n else 1.0
        averages: list[Tensor] = list(self.module.parameters())
        parameters: list[Tensor] = list(model.parameters())
        torch._foreach_lerp_(averages, parameters, weight)
        for ema_buffer, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            ema_buffer.copy_(buffer)
        self.n_averaged += 1
