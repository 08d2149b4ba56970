"""Batch normalisation over the pictures of all processes, so that several train as one would."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.system.distributed import mean_over_processes


def synchronize_batch_norm(network: nn.Module) -> None:
    """Replace every batch normalisation inside ``network`` by one whose mean and variance are those
    of the whole batch; parameters, buffers and their names stay."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, WholeBatchNorm):
                setattr(parent, name, _twin(child))


class WholeBatchNorm(_BatchNorm):
    """Batch normalisation of ``[N, C, ...]`` by the statistics of all processes' pictures together.

    Torch's own (:class:`torch.nn.SyncBatchNorm`) does the same on a GPU alone. Each process must
    hold equally many pictures. In evaluation mode nothing is exchanged.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"pictures are [N, C, ...], got {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        others = [axis for axis in range(input.ndim) if axis != 1]
        mean = mean_over_processes(input.mean(others))
        centered = input - _beside(mean, input)
        variance = mean_over_processes(centered.square().mean(others))
        count = torch.distributed.get_world_size() * input.numel() // len(mean)
        self._remember(mean.detach(), variance.detach(), count)
        output = centered * _beside(torch.rsqrt(variance + self.eps), input)
        if self.affine:
            output = output * _beside(self.weight, input) + _beside(self.bias, input)
        return output

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        # momentum None asks for the mean over all batches so far
        part = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, part)
        self.running_var.lerp_(variance * count / max(count - 1, 1), part)


def _beside(channels: Tensor, input: Tensor) -> Tensor:
    """``[C]`` in a shape that goes with ``[N, C, ...]``."""
    return channels.view(1, -1, *[1] * (input.ndim - 2))


def _twin(norm: _BatchNorm) -> nn.Module:
    if norm.running_mean is not None and norm.running_mean.is_cuda:
        twin: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)  # type: ignore[no-untyped-call]
        return twin
    twin = WholeBatchNorm(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    for name, tensor in [*norm.named_parameters(), *norm.named_buffers()]:
        setattr(twin, name, tensor)
    return twin.train(norm.training)
