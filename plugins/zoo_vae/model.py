"""The network of a VAE (Kingma and Welling 2014): an encoder q(z | x) and a decoder p(x | z)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from zoo import ImageSpec, Latent
from zoo_vae.config import VAEConfig
from zoo_vae.likelihood import LIKELIHOODS
from zoo_vae.networks import NETWORKS, Decoder


class VAE(nn.Module):
    """An encoder to a diagonal normal, and a decoder to the parameters of a likelihood.

    ``forward(images, noise, labels)`` takes images ``[N, C, S, S]`` in [0, 1] and standard normal
    noise ``[N, J]``. It returns the posterior's ``mean`` and ``log_variance``, ``[N, J]`` each, and
    the decoded z = mean + std * noise (paper, section 2.4). ``labels`` are int64 ``[N]``, or None
    for an unconditional model.
    """

    regions: ClassVar[tuple[str, ...]] = ("encoder", "decoder")

    def __init__(self, config: VAEConfig, image: ImageSpec) -> None:
        super().__init__()
        self.image = image
        classes = image.classes if config.conditional else 0
        self.latent = Latent(config.latent, "normal", classes)
        self.likelihood = LIKELIHOODS[config.likelihood](image.bits)
        initial = self.likelihood.initial
        shared = config.scale == "shared" and len(initial) > 1
        self.log_scale = nn.Parameter(torch.tensor(initial[1])) if shared else None
        decoded = initial[:1] if shared else initial
        self.parameters_per_value = len(decoded)
        encoder, decoder = NETWORKS[config.network]
        self.encoder: nn.Module = encoder(config, image, classes)
        self.decoder: Decoder = decoder(config, image, classes, self.parameters_per_value)
        if len(initial) > 1:
            self._set_bias(decoded)

    def forward(
        self, images: Tensor, noise: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encode(images, labels)
        z = mean + torch.exp(0.5 * log_variance) * noise
        return mean, log_variance, self.decode(z, labels)

    def encode(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``mean`` and ``log_variance`` of q(z | x), ``[N, J]`` each."""
        output = self.encoder(images, self._one_hot(labels, images)).to(images.dtype)
        mean, log_variance = output.chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """The parameters of p(x | z), ``[N, P, C, S, S]``, for latents ``[N, J]``."""
        image = self.image
        flat = self.decoder(z, self._one_hot(labels, z)).to(z.dtype)
        shape = (self.parameters_per_value, image.channels, image.size, image.size)
        decoded = flat.reshape(-1, *shape)
        if self.log_scale is not None:
            decoded = torch.cat([decoded, self.log_scale.expand_as(decoded)], dim=1)
        return decoded

    def _one_hot(self, labels: Tensor | None, like: Tensor) -> Tensor | None:
        """Labels as one-hot vectors ``[N, classes]`` of the dtype of ``like``; all zeros for an
        unknown class, -1."""
        if not self.latent.classes:
            return None
        if labels is None:
            raise ValueError("a class-conditional VAE requires a label for each image")
        classes = torch.arange(self.latent.classes, device=like.device)
        return (labels[:, None] == classes).to(like.dtype)

    @torch.no_grad()
    def _set_bias(self, values: tuple[float, ...]) -> None:
        """Initializes the decoder to the likelihood's initial parameters."""
        bias = self.decoder.last.bias
        assert bias is not None
        bias.copy_(bias.new_tensor(values).repeat_interleave(len(bias) // len(values)))
