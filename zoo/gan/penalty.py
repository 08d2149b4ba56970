"""The gradient penalty, which keeps a critic about 1-Lipschitz."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, along: Tensor) -> Tensor:
    """The mean of (|grad D(x)| - 1)^2 at x = a real + (1 - a) fake (Gulrajani et al. 2017, Improved
    Training of Wasserstein GANs, eq. 3).

    ``real`` and ``fake`` are pictures ``[N, C, S, S]``, ``along`` the a, uniform on [0, 1),
    ``[N, 1, 1, 1]``. No gradient goes back to either; the critic's scores must depend on their own
    pictures alone, so it has no batch normalisation (section 4).
    """
    with torch.no_grad():
        points = torch.lerp(fake, real, along)
    points.requires_grad_()
    (gradients,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()
