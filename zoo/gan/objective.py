"""Adversarial training of a generator and a critic as an objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.errors import UsageError
from zoo.gan.config import GANConfig
from zoo.gan.losses import LOSSES
from zoo.gan.penalty import gradient_penalty
from zoo.gan.spectral import iterate_power
from zoo.objectives.objective import Objective, Update
from zoo.objectives.optimizers import make_optimizer
from zoo.specs import Latent


class GANObjective(Objective):
    """``critic_steps`` updates of the critic, each on its own batch, then one of the generator.

    ``generator(z)`` takes latents ``[N, latent.size]`` of its own ``latent`` and returns images in
    [-1, 1], ``[N, C, S, S]``; ``critic(x)`` takes such images and returns scores ``[N]``. It scores
    real and generated images separately, so that batch normalization sees one kind at a time. The
    generator's update reuses the images of the last critic update, or, if
    ``generator_batches`` is more than 1, generates new ones. Weights normalized by
    :mod:`zoo.gan.spectral` take one power iteration after each update of their network.

    Raises UsageError for a batch size of 1 if a network has batch normalization of dense layers.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        config: GANConfig,
        training: TrainingConfig,
    ) -> None:
        self.networks = {"generator": generator, "critic": critic}
        if training.batch_size == 1 and any(map(_has_dense_batchnorm, self.networks.values())):
            raise UsageError(
                "training.batch_size must be at least 2 for batch normalization of a dense layer; "
                "got 1"
            )
        self.optimizers = {
            name: make_optimizer(network.parameters(), training)
            for name, network in self.networks.items()
        }
        self.batches_per_step = config.critic_steps
        self.second_derivatives = ("critic",) if config.gradient_penalty else ()
        self._config, self._loss = config, LOSSES[config.loss]
        self._latent: Latent = generator.latent  # type: ignore[assignment]

    def step(self, batches: Sequence[Batch], update: Update) -> Mapping[str, Tensor]:
        for batch in batches[:-1]:
            self._step_critic(batch, self._generate_detached(batch), update)
        last = batches[-1]
        if self._config.generator_batches == 1:
            fake = self._generate(last)
            metrics = self._step_critic(last, fake.detach(), update)
        else:
            metrics = self._step_critic(last, self._generate_detached(last), update)
            fake = self._generate(last, self._config.generator_batches)
        critic = self.networks["critic"]
        with no_parameter_gradients(critic):
            loss = self._loss.generator(critic(fake))
        update("generator", loss)
        iterate_power(self.networks["generator"])
        return {"generator_loss": loss.detach()} | metrics

    def _generate(self, batch: Batch, batches: int = 1) -> Tensor:
        latents = torch.cat([batch.latents(self._latent) for _ in range(batches)])
        images: Tensor = self.networks["generator"](latents)
        return images

    @torch.no_grad()
    def _generate_detached(self, batch: Batch) -> Tensor:
        return self._generate(batch)

    def _step_critic(self, batch: Batch, fake: Tensor, update: Update) -> dict[str, Tensor]:
        critic, config = self.networks["critic"], self._config
        loss = self._loss.critic(critic(batch.signed), critic(fake))
        metrics = {"critic_loss": loss.detach()}
        if config.gradient_penalty:
            penalty = gradient_penalty(critic, batch.signed, fake, batch.rand(1, 1, 1))
            metrics["gradient_penalty"] = penalty.detach()
            loss = loss + config.gradient_penalty * penalty
        update("critic", loss)
        if config.clip_weights is not None:
            clip_weights(critic, config.clip_weights)
        iterate_power(critic)
        return metrics


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float) -> None:
    """Clips every parameter to [-bound, bound] (Arjovsky et al. 2017, algorithm 1, line 7)."""
    parameters: list[Tensor] = list(critic.parameters())
    torch._foreach_clamp_min_(parameters, -bound)
    torch._foreach_clamp_max_(parameters, bound)


@contextmanager
def no_parameter_gradients(network: nn.Module) -> Iterator[None]:
    """Disables gradients of the network's parameters; gradients still pass through to its input."""
    trainable = [p for p in network.parameters() if p.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


def _has_dense_batchnorm(network: nn.Module) -> bool:
    """Whether a batch normalization has one value per image and unit, which a batch of 1 lacks."""
    return any(isinstance(module, nn.BatchNorm1d) for module in network.modules())
