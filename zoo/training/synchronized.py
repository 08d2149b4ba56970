"""Batch normalization over the batches of all processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.system.distributed import mean_over_processes


def synchronize_batch_norm(network: nn.Module) -> None:
    """Replaces every batch normalization in ``network`` by one over the global batch; parameters,
    buffers and their names stay."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, GlobalBatchNorm):
                setattr(parent, name, _synchronized(child))


class GlobalBatchNorm(_BatchNorm):
    """Batch normalization of ``[N, C, ...]`` by statistics over all processes, also on the CPU.

    Torch's own (:class:`torch.nn.SyncBatchNorm`) requires a GPU. All processes must have the same
    batch size. Evaluation mode does not communicate.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"input must be [N, C, ...], got {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        others = [axis for axis in range(input.ndim) if axis != 1]
        mean = mean_over_processes(input.mean(others))
        centered = input - _broadcastable(mean, input)
        variance = mean_over_processes(centered.square().mean(others))
        count = torch.distributed.get_world_size() * input.numel() // len(mean)
        self._update_running_stats(mean.detach(), variance.detach(), count)
        output = centered * _broadcastable(torch.rsqrt(variance + self.eps), input)
        if self.affine:
            output = output * _broadcastable(self.weight, input) + _broadcastable(self.bias, input)
        return output

    @torch.no_grad()
    def _update_running_stats(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        # momentum None means the cumulative average over all batches
        weight = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * count / max(count - 1, 1), weight)


def _broadcastable(channels: Tensor, input: Tensor) -> Tensor:
    """Reshapes ``[C]`` to broadcast with ``[N, C, ...]``."""
    return channels.view(1, -1, *[1] * (input.ndim - 2))


def _synchronized(norm: _BatchNorm) -> nn.Module:
    if norm.running_mean is not None and norm.running_mean.is_cuda:
        layer: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)  # type: ignore[no-untyped-call]
        return layer
    layer = GlobalBatchNorm(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    for name, tensor in [*norm.named_parameters(), *norm.named_buffers()]:
        setattr(layer, name, tensor)
    return layer.train(norm.training)
