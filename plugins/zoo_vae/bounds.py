"""Bounds on the nats of a picture, -log P(x), from an encoder and a decoder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from zoo.data.batch import Batch
    from zoo_vae.model import VAE


def kl_from_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, of each number by itself (Kingma and
    Welling 2014, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def negative_elbo(network: VAE, batch: Batch) -> Tensor:
    """-ELBO in nats, ``[N]``: an upper bound on -log P(x) whatever the training weighed, by one
    draw of the posterior and the KL in closed form (Kingma and Welling 2014, eq. 10, L = 1)."""
    noise = batch.randn(network.latent.size)
    mean, log_variance, decoded = network(batch.images, noise, batch.labels)
    kl = kl_from_standard_normal(mean, log_variance).sum(1)
    return network.likelihood.nats(decoded, batch) + kl


@torch.no_grad()
def importance_weighted_nats(network: VAE, batch: Batch, samples: int) -> Tensor:
    """-log of the mean of ``samples`` weights p(x, z) / q(z | x), in nats, ``[N]`` (Burda, Grosse
    and Salakhutdinov 2016, Importance weighted autoencoders, section 3).

    On average an upper bound on -log P(x), lower with more samples, and in the limit the true
    value; with one sample, the negative ELBO. A Gaussian likelihood scores one dequantised picture
    throughout, so that its limit is the nats of that one.
    """
    mean, log_variance = network.encode(batch.images, batch.labels)
    total = mean.new_full((len(mean),), -math.inf)
    for _ in range(samples):
        noise = batch.randn(network.latent.size).to(mean.dtype)
        z = mean + torch.exp(0.5 * log_variance) * noise
        # log p(z) - log q(z | x): what is the same in both normals is left out.
        prior = 0.5 * (noise.square() + log_variance - z.square()).sum(1)
        weight = prior - network.likelihood.nats(network.decode(z, batch.labels), batch)
        total = torch.logaddexp(total, weight)
    return math.log(samples) - total
