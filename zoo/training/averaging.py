"""The running average of the weights, which is what a run keeps where it is asked for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential average of the parameters; buffers are copied from the network as they are.

    The decay starts at (1 + n) / (10 + n) after n updates and grows to ``decay``, so that the
    random first weights are soon forgotten in short runs too.
    """

    def update(averages: Any, currents: Any, _: Tensor | int) -> None:
        # The count is read where it lies, on the CPU: what torch passes is a copy on the device,
        # and to look at that would make every step wait.
        n = int(average.n_averaged.item())
        torch._foreach_lerp_(averages, currents, 1 - min(decay, (1 + n) / (10 + n)))

    average = AveragedModel(network, multi_avg_fn=update)
    return average
