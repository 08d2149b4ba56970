"""Reductions over the processes that train together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _MeanOverProcesses(torch.autograd.Function):
    """The mean of one tensor a process; what goes back is the mean of their gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total / torch.distributed.get_world_size()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _MeanOverProcesses.forward(ctx, gradient)


def mean_over_processes(mean: Tensor) -> Tensor:
    """The mean over all processes of each one's mean; gradients go back to all of them. What was
    given, where there is one process."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return mean
    whole: Tensor = _MeanOverProcesses.apply(mean)  # type: ignore[no-untyped-call]
    return whole
