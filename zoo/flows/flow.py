"""The network of a flow."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.data.quantize import from_unit, to_unit
from zoo.specs import ImageSpec, Latent


class Flow(nn.Module):
    """A bijection between images in the unit cube and latents with a known density.

    ``forward(x, labels)`` takes ``[N, C, S, S]`` in [0, 1] and returns ``(z, log_prob)``: the
    latents ``[N, D]`` and the log-density at x in nats, ``[N]``. ``inverse(z, labels)`` returns x,
    not clamped. ``labels`` are int64 ``[N]``; an unconditional flow ignores them.
    """

    def __init__(self, image: ImageSpec, latent: Latent) -> None:
        super().__init__()
        self.image, self.latent = image, latent

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def inverse(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def sample(self, latents: Tensor, temperature: float, labels: Tensor | None = None) -> Tensor:
        """Images in [0, 1] from latents, which the temperature multiplies."""
        return from_unit(self.inverse(latents * temperature, labels), self.image.bits)

    def encode(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """``z`` and ``log_prob`` of images in [0, 1], at the centers of their bins."""
        z, log_prob = self(to_unit(images, self.image.bits), labels)
        return {"z": z, "log_prob": log_prob}
