"""The variational bound as an objective, with beta and free bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.objectives import Objective, Update, make_optimizer
from zoo.system.distributed import mean_over_processes
from zoo_vae.bounds import kl_from_standard_normal
from zoo_vae.config import VAEConfig

if TYPE_CHECKING:
    from zoo_vae.model import VAE


class VariationalBound(Objective):
    """Minimizes the mean of -log p(x | z) + beta * cost of the KL, over D log 2.

    With beta 1 (Higgins et al. 2017, beta-VAE, eq. 4) and no free bits this is the negative ELBO in
    bits per dimension (Kingma and Welling 2014, eq. 10). The metric ``bits_per_dim`` is always that
    bound, ``reconstruction`` and ``kl`` are its two terms in nats per image, and ``loss`` is the
    minimized quantity if it differs from the bound.
    """

    def __init__(self, network: VAE, config: VAEConfig, training: TrainingConfig) -> None:
        self.networks = {"network": network}
        self.optimizers = {"network": make_optimizer(network.parameters(), training)}
        self._latent, self._likelihood = network.latent, network.likelihood
        self._beta, self._free_bits = config.beta, config.free_bits

    def step(self, batches: Sequence[Batch], update: Update) -> Mapping[str, Tensor]:
        (batch,) = batches
        noise = batch.randn(self._latent.size)
        mean, log_variance, decoded = self.networks["network"](batch.images, noise, batch.labels)
        kl = kl_from_standard_normal(mean, log_variance).mean(0)
        reconstruction = self._likelihood.nats(decoded, batch).mean()
        nats_per_bit = batch.dimensions * math.log(2)
        loss = (reconstruction + self._beta * kl_cost(kl, self._free_bits)) / nats_per_bit
        update("network", loss)
        metrics = {
            "bits_per_dim": ((reconstruction + kl.sum()) / nats_per_bit).detach(),
            "reconstruction": reconstruction.detach(),
            "kl": kl.sum().detach(),
        }
        if self._beta != 1 or self._free_bits:
            metrics["loss"] = loss.detach()
        return metrics


def kl_cost(kl: Tensor, free_bits: float) -> Tensor:
    """The sum over j of max(lambda, KL_j), for the batch means of each latent dimension's KL,
    ``[J]``, and lambda = ``free_bits`` (Kingma et al. 2016, Improving variational inference with
    inverse autoregressive flow)."""
    if not free_bits:
        return kl.sum()
    # The batch of all processes decides the maximum, so that the mean of their gradients is the
    # gradient of the whole batch.
    return torch.where(mean_over_processes(kl.detach()) > free_bits, kl, free_bits).sum()
