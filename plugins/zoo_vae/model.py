"""The network of a VAE (Kingma and Welling 2014): an encoder q(z | x) and a decoder p(x | z)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo import ImageSpec, Latent
from zoo_vae.config import VAEConfig
from zoo_vae.likelihood import LIKELIHOODS
from zoo_vae.networks import NETWORKS, Head


class VAE(nn.Module):
    """An encoder to a diagonal normal, a decoder to the numbers of a likelihood.

    ``forward(images, noise, labels)`` takes pictures ``[N, C, S, S]`` in [0, 1] and standard normal
    noise ``[N, J]``, and gives the posterior's ``mean`` and ``log_variance``, ``[N, J]`` each, and
    what z = mean + std * noise is decoded to (paper, section 2.4). ``labels`` are int64 ``[N]``, or
    None where the network takes none.
    """

    def __init__(self, config: VAEConfig, image: ImageSpec) -> None:
        super().__init__()
        self.image = image
        classes = image.classes if config.conditional else 0
        self.latent = Latent(config.latent, "normal", classes)
        self.likelihood = LIKELIHOODS[config.likelihood](image.bits)
        first = self.likelihood.first
        shared = config.scale == "shared" and len(first) > 1
        self.log_scale = nn.Parameter(torch.tensor(first[1])) if shared else None
        decoded = first[:1] if shared else first
        self.parts = len(decoded)
        encoder, decoder = NETWORKS[config.network]
        self.encoder: nn.Module = encoder(config, image, classes)
        self.decoder: Head = decoder(config, image, classes, self.parts)
        if len(first) > 1:
            self._begin_at(decoded)

    def forward(
        self, images: Tensor, noise: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encode(images, labels)
        z = mean + torch.exp(0.5 * log_variance) * noise
        return mean, log_variance, self.decode(z, labels)

    def encode(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``mean`` and ``log_variance`` of q(z | x), ``[N, J]`` each."""
        both = self.encoder(images, self._one_hot(labels, images)).to(images.dtype)
        mean, log_variance = both.chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """The numbers of p(x | z), ``[N, P, C, S, S]``, of latents ``[N, J]``."""
        image = self.image
        flat = self.decoder(z, self._one_hot(labels, z)).to(z.dtype)
        decoded = flat.reshape(-1, self.parts, image.channels, image.size, image.size)
        if self.log_scale is not None:
            decoded = torch.cat([decoded, self.log_scale.expand_as(decoded)], dim=1)
        return decoded

    def _one_hot(self, labels: Tensor | None, beside: Tensor) -> Tensor | None:
        """Labels as ``[N, classes]`` of the dtype of ``beside``: a one at the class; no one at all
        for a picture of a split whose class is unknown, -1."""
        if not self.latent.classes:
            return None
        if labels is None:
            raise ValueError("a class-conditional VAE needs a label for each picture")
        classes = torch.arange(self.latent.classes, device=beside.device)
        return (labels[:, None] == classes).to(beside.dtype)

    @torch.no_grad()
    def _begin_at(self, values: tuple[float, ...]) -> None:
        """Let every value of a picture begin from the middle of the likelihood's range."""
        bias = self.decoder.last.bias
        assert bias is not None
        bias.copy_(bias.new_tensor(values).repeat_interleave(len(bias) // len(values)))
