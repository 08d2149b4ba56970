"""The running average of the weights, which is what a run keeps where it is asked for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def ema_of(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential average of the parameters; buffers are copied from the network as they are.

    The decay starts at (1 + n) / (10 + n) after n updates and grows to ``decay``, so that the
    random first weights are soon forgotten in short runs too.
    """
    return _Average(network, decay)


class _Average(AveragedModel):
    """Torch's average with an update that does not wait for the device: torch's own copies the
    count, which lies on the CPU, to the device at each step."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network)
        self._decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        n = int(self.n_averaged.item())
        part = 1 - min(self._decay, (1 + n) / (10 + n)) if n else 1.0
        averages: list[Tensor] = list(self.module.parameters())
        currents: list[Tensor] = list(model.parameters())
        torch._foreach_lerp_(averages, currents, part)
        for kept, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)
        self.n_averaged += 1
