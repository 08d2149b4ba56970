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
    """EMA of one network, without synchronization; torch's own copies its CPU counter to the device
    at each step.

    Parameters, and the modules with buffers, are looked up at the first update: later ones change
    their values only.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network)
        self._decay = decay
        self._parameter_lists: tuple[list[Tensor], list[Tensor]] | None = None
        self._buffer_owners: list[tuple[nn.Module, nn.Module]] = []

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        n = int(self.n_averaged.item())
        weight = 1 - min(self._decay, (1 + n) / (10 + n)) if n else 1.0
        if self._parameter_lists is None:
            self._parameter_lists = list(self.module.parameters()), list(model.parameters())
            pairs = zip(self.module.modules(), model.modules(), strict=True)
            self._buffer_owners = [pair for pair in pairs if pair[1]._buffers]
        averages, parameters = self._parameter_lists
        torch._foreach_lerp_(averages, parameters, weight)
        for ema_owner, owner in self._buffer_owners:
            for name, buffer in owner._buffers.items():
                if buffer is not None:
                    ema_owner.get_buffer(name).copy_(buffer)
        self.n_averaged += 1
