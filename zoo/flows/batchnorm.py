"""Batch normalization as a layer of a flow (Dinh et al. 2017, section 3.7 and appendix E)."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.flows.bijection import Kept, per_channel, per_image
from zoo.flows.channelwise import Affine, Channelwise
from zoo.flows.gradients import Gradients
from zoo.system.distributed import mean_over_processes

EPSILON = 1e-4
"""Added to the variance, as in the official code."""


class BatchNorm(Channelwise):
    """y = (x - mean) / sqrt(variance + epsilon) for each channel, without learned parameters.

    The log-determinant is -H W / 2 * sum(log(variance + epsilon)). As in the paper it treats mean
    and variance as constants, although they depend on the images of the batch and gradients flow
    through both.

    In training, mean and variance are those of the batch over all processes. With ``momentum`` rho
    above 0 they are the running average rho * previous + (1 - rho) * batch, which small batches
    need; gradients flow through the batch's part. In evaluation they are the running average, which
    for rho = 0 has a momentum of 0.9, as in the official code. ``inverse`` uses the running average
    in both modes, so it is the inverse of ``forward`` in evaluation mode.
    """

    mean: Tensor
    variance: Tensor
    batches: Tensor

    def __init__(self, channels: int, momentum: float = 0.0) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance, *_ = self._update(x) if self.training else (self.mean, self.variance)
        return _normalize(x, mean, variance)

    def inverse(self, y: Tensor) -> Tensor:
        return y * per_channel(torch.sqrt(self.variance + EPSILON)) + per_channel(self.mean)

    def forward_keeping(self, x: Tensor) -> tuple[Tensor, Tensor, Kept]:
        """Keeps the mean and variance that ``x`` is normalized by; in training also the mean of the
        batch, and the weight of the batch in both."""
        kept = self._update(x) if self.training else (self.mean.clone(), self.variance.clone())
        return *_normalize(x, *kept[:2]), kept

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        mean, variance, *batch = kept
        variance = variance + EPSILON
        centered = y * per_channel(torch.sqrt(variance))
        x, grad_x = centered + per_channel(mean), grad_y * per_channel(torch.rsqrt(variance))
        if not batch:
            return x, grad_x
        batch_mean, weight = batch
        pixels = y.shape[2] * y.shape[3]
        grad_mean = -grad_x.sum((0, 2, 3))
        grad_log_variance = -0.5 * ((grad_y * y).sum((0, 2, 3)) + pixels * grad_log_det.sum())
        both = torch.stack([grad_mean, grad_log_variance / variance])
        # The variance of the batch does not change with the mean that it is computed from.
        grad_mean, grad_variance = mean_over_processes(both * weight) / (y.shape[0] * pixels)
        deviations = x - per_channel(batch_mean)
        return x, grad_x + per_channel(grad_mean) + 2 * deviations * per_channel(grad_variance)

    def affine(self) -> Affine:
        scale = torch.rsqrt(self.variance.double() + EPSILON)
        return Affine(scale, -self.mean.double() * scale)

    def _update(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Updates the running average; returns the mean and variance to normalize ``x`` by, the
        mean of the batch, and the weight of the batch in the first two."""
        mean = mean_over_processes(x.mean((0, 2, 3)))
        variance = mean_over_processes((x - per_channel(mean)).square().mean((0, 2, 3)))
        # The first batches have equal weights, so the initial values vanish with the first batch.
        weight = torch.clamp(1 / (self.batches + 1), min=1 - (self.momentum or 0.9))
        running = (
            torch.lerp(self.mean.clone(), mean, weight),
            torch.lerp(self.variance.clone(), variance, weight),
        )
        with torch.no_grad():
            self.batches += 1
            self.mean.copy_(running[0])
            self.variance.copy_(running[1])
        if self.momentum:
            return *running, mean, weight
        return mean, variance, mean, torch.ones_like(weight)


def _normalize(x: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    variance = variance + EPSILON
    y = (x - per_channel(mean)) * per_channel(torch.rsqrt(variance))
    log_det = -0.5 * torch.log(variance).sum() * (x.shape[2] * x.shape[3])
    return y, per_image(log_det, x)
