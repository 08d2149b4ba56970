"""Gradient penalty for a 1-Lipschitz critic."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, weight: Tensor) -> Tensor:
    """The mean of (|grad D(x)| - 1)^2 at x = weight * real + (1 - weight) * fake (Gulrajani et al.
    2017, Improved Training of Wasserstein GANs, eq. 3).

    ``real`` and ``fake`` are images ``[N, C, S, S]``, which get no gradient; ``weight`` is uniform
    on [0, 1), ``[N, 1, 1, 1]``. The critic must have no batch normalization: each score may depend
    on its own image only (section 4).
    """
    with torch.no_grad():
        points = torch.lerp(fake, real, weight)
    points.requires_grad_()
    (gradients,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()
