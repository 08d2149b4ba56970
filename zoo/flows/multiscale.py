"""Multi-scale flows: half of the channels becomes latents after each scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Bijection
from zoo.flows.prior import TopPrior, standard_normal_log_prob


class MultiScale(nn.Module):
    """Scales with half of the channels factored out between them (RealNVP, section 3.6).

    ``forward(x, labels)`` returns ``(z, log_prob)``: the latents of all scales, ``[N, D]``,
    coarsest last, and the log-density at x under a standard normal of z, in nats, ``[N]``.
    ``inverse(z, labels)`` returns x.

    ``first`` is applied before the scales. Of the channels that a scale outputs, the first half
    continues and the second half becomes latents. The last scale outputs ``last_shape``,
    ``(C, H, W)``, which ``prior`` whitens.
    """

    def __init__(
        self,
        scales: Sequence[Bijection],
        last_shape: tuple[int, int, int],
        first: Bijection | None = None,
        prior: TopPrior | None = None,
    ) -> None:
        super().__init__()
        self.first = first
        self.scales = nn.ModuleList(scales)
        self.prior = prior
        self.last_shape = last_shape
        size = math.prod(last_shape)
        self.sizes = [*(size << index for index in reversed(range(len(scales) - 1))), size]

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_det, latents = x.new_zeros(x.shape[0]), []
        if self.first is not None:
            x, log_det = self.first(x)
        *scales, last = self.scales
        for scale in scales:
            x, scale_log_det = scale(x)
            log_det = log_det + scale_log_det
            x, z = x.chunk(2, dim=1)
            latents.append(z.flatten(1))
        x, last_log_det = last(x)
        if self.prior is not None:
            log_det = log_det + last_log_det
            x, last_log_det = self.prior(x, labels)
        z = torch.cat([*latents, x.flatten(1)], dim=1)
        return z, standard_normal_log_prob(z) + log_det + last_log_det

    def inverse(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        *latents, z = torch.split(z, self.sizes, dim=1)
        x = z.reshape(-1, *self.last_shape)
        if self.prior is not None:
            x = self.prior.inverse(x, labels)
        *scales, last = self.scales
        x = last.inverse(x)  # type: ignore[operator]
        for scale in reversed(scales):
            x = scale.inverse(torch.cat([x, latents.pop().reshape(x.shape)], dim=1))  # type: ignore[operator]
        return x if self.first is None else self.first.inverse(x)
