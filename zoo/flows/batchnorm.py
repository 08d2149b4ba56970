"""Batch normalisation as a layer of a flow (Dinh et al. 2017, section 3.7 and appendix E)."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.flows.bijection import per_image
from zoo.flows.channelwise import Affine, Channelwise
from zoo.system.distributed import mean_over_processes


class BatchNorm(Channelwise):
    """y = (x - mean) / sqrt(variance + eps) for each channel; nothing is learned.

    The log-determinant is -H W / 2 * sum(log(variance + eps)). As in the paper it is that of the
    rescaling, with mean and variance taken as given: that they depend on the pictures of the batch
    is not counted, though gradients flow through both.

    In training, mean and variance are those of the batch, over all processes. With ``momentum``
    rho above 0 they are the running average rho * before + (1 - rho) * batch, which small batches
    need; gradients flow through the batch's part. In evaluation they are the running average, which
    with rho = 0 keeps 0.9 of itself at each step, as in the official code. ``inverse`` takes the
    running average in either mode, so it is the inverse of ``forward`` in evaluation.
    """

    mean: Tensor
    variance: Tensor
    batches: Tensor

    def __init__(self, channels: int, momentum: float = 0.0, eps: float = 1e-4) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self._of_batch(x) if self.training else (self.mean, self.variance)
        variance = variance + self.eps
        y = (x - _spread(mean)) * _spread(torch.rsqrt(variance))
        log_det = -0.5 * torch.log(variance).sum() * (x.shape[2] * x.shape[3])
        return y, per_image(log_det, x)

    def inverse(self, y: Tensor) -> Tensor:
        return y * _spread(torch.sqrt(self.variance + self.eps)) + _spread(self.mean)

    def affine(self) -> Affine:
        scale = torch.rsqrt(self.variance.double() + self.eps)
        return Affine(scale, -self.mean.double() * scale)

    def _of_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance to normalise ``x`` by; the running ones take them in."""
        mean = mean_over_processes(x.mean((0, 2, 3)))
        variance = mean_over_processes((x - _spread(mean)).square().mean((0, 2, 3)))
        # The first batches weigh alike, so that the values before them are gone with the first.
        fresh = torch.clamp(1 / (self.batches + 1), min=1 - (self.momentum or 0.9))
        running = (
            torch.lerp(self.mean.clone(), mean, fresh),
            torch.lerp(self.variance.clone(), variance, fresh),
        )
        with torch.no_grad():
            self.batches += 1
            self.mean.copy_(running[0])
            self.variance.copy_(running[1])
        return running if self.momentum else (mean, variance)


def _spread(values: Tensor) -> Tensor:
    return values[:, None, None]
