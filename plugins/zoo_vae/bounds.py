"""Bounds on the nats of an image, -log P(x), from an encoder and a decoder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from zoo.data.batch import Batch
    from zoo_vae.model import VAE


def kl_from_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, elementwise (Kingma and Welling 2014,
    appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def negative_elbo(network: VAE, batch: Batch) -> Tensor:
    """-ELBO in nats, ``[N]``: an upper bound on -log P(x), with one posterior sample and the KL in
    closed form (Kingma and Welling 2014, eq. 10, L = 1).

    It does not depend on ``beta`` and ``free_bits``.
    """
    noise = batch.randn(network.latent.size)
    mean, log_variance, decoded = network(batch.images, noise, batch.labels)
    kl = kl_from_standard_normal(mean, log_variance).sum(1)
    return network.likelihood.nats(decoded, batch) + kl


@torch.no_grad()
def importance_weighted_nats(network: VAE, batch: Batch, samples: int) -> Tensor:
    """-log of the mean of ``samples`` weights p(x, z) / q(z | x), in nats, ``[N]`` (Burda, Grosse
    and Salakhutdinov 2016, Importance weighted autoencoders, section 3).

    In expectation an upper bound on -log P(x) that decreases with more samples and converges to
    it; with one sample, the negative ELBO. A Gaussian likelihood scores the same dequantized image
    for all samples, so the limit is the nats of that image.
    """
    mean, log_variance = network.encode(batch.images, batch.labels)
    total = mean.new_full((len(mean),), -math.inf)
    for _ in range(samples):
        noise = batch.randn(network.latent.size).to(mean.dtype)
        z = mean + torch.exp(0.5 * log_variance) * noise
        # log p(z) - log q(z | x), where the normalizing constants cancel.
        log_ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(1)
        log_weight = log_ratio - network.likelihood.nats(network.decode(z, batch.labels), batch)
        total = torch.logaddexp(total, log_weight)
    return math.log(samples) - total
