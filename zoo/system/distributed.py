"""Reductions over the processes that train together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _MeanOverProcesses(torch.autograd.Function):
    """The mean of one tensor per process; its gradient is the mean of theirs."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total / torch.distributed.get_world_size()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _MeanOverProcesses.forward(ctx, gradient)


def mean_over_processes(mean: Tensor) -> Tensor:
    """Returns the mean over all processes of each one's ``mean``, with gradients to all of them.

    With a single process it is ``mean`` itself.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return mean
    total_mean: Tensor = _MeanOverProcesses.apply(mean)  # type: ignore[no-untyped-call]
    return total_mean
