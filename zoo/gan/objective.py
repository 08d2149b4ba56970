"""The game of a generator and a critic as an objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.errors import UsageError
from zoo.gan.config import AdversarialConfig
from zoo.gan.losses import LOSSES
from zoo.gan.penalty import gradient_penalty
from zoo.gan.spectral import iterate_power
from zoo.objectives.objective import Objective, Update
from zoo.objectives.optimizers import make_optimizer
from zoo.specs import Latent


class Adversarial(Objective):
    """``critic_steps`` steps of the critic, each on a batch of its own, then one of the generator.

    ``generator(z)`` takes latents ``[N, latent.size]`` of its own ``latent`` and gives pictures in
    [-1, 1], ``[N, C, S, S]``; ``critic(x)`` takes such pictures and gives scores ``[N]``. Real and
    drawn pictures go through the critic apart, so that batch normalisation sees one kind at a time.
    The generator's step scores the pictures of the last critic's step again, or, where it takes
    several batches of them, new ones. Weights that :mod:`zoo.gan.spectral` normalises have
    one power iteration after each update of their network.

    Raises UsageError for batches of one picture where a network normalises units over the batch.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        rules: AdversarialConfig,
        training: TrainingConfig,
    ) -> None:
        self.networks = {"generator": generator, "critic": critic}
        if training.batch_size == 1 and any(map(_normalizes_units, self.networks.values())):
            raise UsageError(
                "training.batch_size = 1 leaves batch normalisation nothing to compare a picture "
                "with: set it to 2 or more"
            )
        self.optimizers = {
            name: make_optimizer(network.parameters(), training)
            for name, network in self.networks.items()
        }
        self.batches_per_step = rules.critic_steps
        self.rules, self.loss = rules, LOSSES[rules.loss]
        self._latent: Latent = generator.latent  # type: ignore[assignment]

    def step(self, batches: Sequence[Batch], update: Update) -> Mapping[str, Tensor]:
        for batch in batches[:-1]:
            self._step_critic(batch, self._draw_fixed(batch), update)
        last = batches[-1]
        if self.rules.generator_batches == 1:
            drawn = self._draw(last)
            metrics = self._step_critic(last, drawn.detach(), update)
        else:
            metrics = self._step_critic(last, self._draw_fixed(last), update)
            drawn = self._draw(last, self.rules.generator_batches)
        critic = self.networks["critic"]
        with frozen(critic):
            loss = self.loss.generator(critic(drawn))
        update("generator", loss)
        iterate_power(self.networks["generator"])
        return {"generator_loss": loss.detach()} | metrics

    def _draw(self, batch: Batch, times: int = 1) -> Tensor:
        latents = torch.cat([batch.latents(self._latent) for _ in range(times)])
        drawn: Tensor = self.networks["generator"](latents)
        return drawn

    @torch.no_grad()
    def _draw_fixed(self, batch: Batch) -> Tensor:
        return self._draw(batch)

    def _step_critic(self, batch: Batch, drawn: Tensor, update: Update) -> dict[str, Tensor]:
        critic, rules = self.networks["critic"], self.rules
        loss = self.loss.critic(critic(batch.signed), critic(drawn))
        metrics = {"critic_loss": loss.detach()}
        if rules.gradient_penalty:
            penalty = gradient_penalty(critic, batch.signed, drawn, batch.rand(1, 1, 1))
            metrics["gradient_penalty"] = penalty.detach()
            loss = loss + rules.gradient_penalty * penalty
        update("critic", loss)
        if rules.clip_weights is not None:
            clip_weights(critic, rules.clip_weights)
        iterate_power(critic)
        return metrics


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float) -> None:
    """Bring every parameter into [-bound, bound] (Arjovsky et al. 2017, algorithm 1, line 7)."""
    parameters: list[Tensor] = list(critic.parameters())
    torch._foreach_clamp_min_(parameters, -bound)
    torch._foreach_clamp_max_(parameters, bound)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Inside, the parameters ask for no gradients: what goes back goes through the network only."""
    asking = [p for p in network.parameters() if p.requires_grad]
    for parameter in asking:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


def _normalizes_units(network: nn.Module) -> bool:
    """Whether there is batch normalisation of a dense layer, which has one value a picture."""
    return any(isinstance(module, nn.BatchNorm1d) for module in network.modules())
