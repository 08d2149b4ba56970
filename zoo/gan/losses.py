"""What the critic and the generator lose, from the critic's scores of real and drawn pictures.

A score is any real number, high for a picture that the critic takes for real.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor
from torch.nn.functional import relu, softplus


class GameLoss(ABC):
    """The two losses of a game, each a mean over the batch's scores ``[N]``."""

    @abstractmethod
    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimises."""

    @abstractmethod
    def generator(self, fake: Tensor) -> Tensor:
        """What the generator minimises."""


class CrossEntropy(GameLoss):
    """-log D(x) - log(1 - D(G(z))) with D = sigmoid(score), and -log D(G(z)) for the generator,
    which does not saturate where the critic is sure (Goodfellow et al. 2014, section 3)."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()


class Hinge(GameLoss):
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))), and -D(G(z)) (Miyato et al. 2018, Spectral
    Normalization for Generative Adversarial Networks, eq. 16 and 17)."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        return -fake.mean()


class Wasserstein(GameLoss):
    """D(G(z)) - D(x), and -D(G(z)) (Arjovsky et al. 2017, Wasserstein GAN, algorithm 1). The critic
    must be kept Lipschitz, by clipped weights or a gradient penalty."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor) -> Tensor:
        return -fake.mean()


LOSSES: dict[str, GameLoss] = {
    "bce": CrossEntropy(),
    "hinge": Hinge(),
    "wasserstein": Wasserstein(),
}
"""By the value of ``loss`` in the configuration."""
