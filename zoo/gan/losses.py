"""Adversarial losses, from the critic's scores of real and generated images.

A score is any real number; a higher score means "more likely real".
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor
from torch.nn.functional import relu, softplus


class GANLoss(ABC):
    """The losses of both networks, each a mean over scores ``[N]``."""

    @abstractmethod
    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """The critic's loss, a scalar."""

    @abstractmethod
    def generator(self, fake: Tensor) -> Tensor:
        """The generator's loss, a scalar."""


class CrossEntropy(GANLoss):
    """-log D(x) - log(1 - D(G(z))) with D = sigmoid(score) for the critic, and the non-saturating
    -log D(G(z)) for the generator (Goodfellow et al. 2014, section 3)."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()


class Hinge(GANLoss):
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))), and -D(G(z)) (Miyato et al. 2018, Spectral
    Normalization for Generative Adversarial Networks, eq. 16 and 17)."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        return -fake.mean()


class Wasserstein(GANLoss):
    """D(G(z)) - D(x), and -D(G(z)) (Arjovsky et al. 2017, Wasserstein GAN, algorithm 1).

    The critic must be kept Lipschitz, by weight clipping, a gradient penalty or normalization.
    """

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor) -> Tensor:
        return -fake.mean()


LOSSES: dict[str, GANLoss] = {
    "bce": CrossEntropy(),
    "hinge": Hinge(),
    "wasserstein": Wasserstein(),
}
"""Losses by the value of ``loss`` in the configuration."""
