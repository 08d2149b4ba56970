"""Priors: standard densities, and learned Gaussians as whitening maps.

A prior N(mean, std^2) is written as the bijection z = (x - mean) / std. All latents of a
multi-scale flow are then one flat standard normal vector, which a temperature multiplies.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Bijection, Kept, in_dtype_of, per_image
from zoo.flows.gradients import Gradients, through_second_half


class SplitPrior(Bijection):
    """A Gaussian prior of the second half of the channels given the first (Glow's ``split2d``).

    x_b becomes z_b = (x_b - mean(x_a)) / std(x_a) and x_a is unchanged; the caller separates the
    halves. ``network`` maps x_a, ``[N, C/2, H, W]``, to ``[N, C, H, W]``: mean and log std.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        mean, log_std = self._mean_and_log_std(a)
        z = (b - mean) * torch.exp(-log_std)
        return torch.cat([a, z], dim=1), -log_std.sum((1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        a, z = y.chunk(2, dim=1)
        mean, log_std = self._mean_and_log_std(a)
        return torch.cat([a, mean + z * log_std.exp()], dim=1)

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        def shift_and_log_scale(a: Tensor) -> tuple[Tensor, Tensor]:
            mean, log_std = self._mean_and_log_std(a)
            return -mean, -log_std

        return through_second_half(self, shift_and_log_scale, y, grad_y, grad_log_det, gradients)

    def _mean_and_log_std(self, a: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = in_dtype_of(a, self.network(a)).chunk(2, dim=1)
        return mean, log_std


class TopPrior(nn.Module):
    """The Gaussian prior of the last scale (Glow's ``learntop`` and ``ycond``).

    Each channel has a learned mean and log std; with ``classes > 0`` each class adds its own.
    ``forward(x, labels)`` whitens ``[N, C, H, W]``; ``labels`` are int64 ``[N]``, or None without
    classes. All parameters start at zero: the standard normal.
    """

    def __init__(self, channels: int, classes: int = 0) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_std = nn.Parameter(torch.zeros(channels))
        self.by_class = nn.Embedding(classes, 2 * channels) if classes else None
        if self.by_class is not None:
            nn.init.zeros_(self.by_class.weight)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, log_std = self._mean_and_log_std(labels)
        z = (x - mean) * torch.exp(-log_std)
        log_det = -log_std.sum((1, 2, 3)) * (x.shape[2] * x.shape[3])
        return z, per_image(log_det, x)

    def inverse(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        mean, log_std = self._mean_and_log_std(labels)
        return mean + z * log_std.exp()

    def _mean_and_log_std(self, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        both = torch.cat([self.mean, self.log_std])[None]
        if self.by_class is not None:
            if labels is None:
                raise ValueError("a class-conditional prior needs a label for each image")
            both = both + self.by_class(labels)
        mean, log_std = both[:, :, None, None].chunk(2, dim=1)
        return mean, log_std


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, I) in nats, ``[N]``, of ``[N, D]``."""
    return -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))


def standard_logistic_log_prob(z: Tensor) -> Tensor:
    """The log-density of independent standard logistic variables in nats, ``[N]``, of ``[N, D]``:
    the sum of log sigmoid(z) + log sigmoid(-z) (NICE, section 3.4)."""
    # This form, -|z| - 2 log(1 + exp(-|z|)), cannot overflow in any runtime.
    return -(z.abs() + 2 * torch.log1p(torch.exp(-z.abs()))).sum(1)
