"""A batch of images in a training step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from zoo.data.quantize import dequantize, to_images
from zoo.specs import Latent


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's part of a batch, on its device.

    ``levels`` uint8 [N, C, S, S], 0 to 2^bits - 1; ``labels`` int64 [N], or None without labels.
    Each of ``world`` processes has N images; this is the process ``rank``. Noise is drawn from
    ``generator``, on the device of the levels; None is torch's global generator, as in torch.
    """

    levels: Tensor
    labels: Tensor | None
    bits: int
    rank: int = 0
    world: int = 1
    generator: torch.Generator | None = None

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def dimensions(self) -> int:
        """The number of values in an image, C * S * S."""
        return self.levels[0].numel()

    @cached_property
    def images(self) -> Tensor:
        """float32 [N, C, S, S] in [0, 1]: level / (2^bits - 1)."""
        return to_images(self.levels, self.bits)

    @cached_property
    def signed(self) -> Tensor:
        """float32 [N, C, S, S] in [-1, 1]: 2 images - 1."""
        return 2 * self.images - 1

    @cached_property
    def dequantized(self) -> Tensor:
        """float32 [N, C, S, S] in [0, 1): (level + u) / 2^bits, u uniform on [0, 1).

        u is drawn with :meth:`rand` on the first access, and kept.
        """
        return dequantize(self.levels, self.rand(*self.levels.shape[1:]), self.bits)

    def rand(self, *shape: int) -> Tensor:
        """Returns uniform noise on [0, 1), float32 [N, *shape].

        Each process draws the noise of all processes from the batch's generator and keeps its own
        rows: with one seed, several processes together have the noise of a single one.
        """
        return self._own_rows(
            torch.rand(
                self._world_shape(shape), generator=self.generator, device=self.levels.device
            )
        )

    def randn(self, *shape: int) -> Tensor:
        """Returns standard normal noise, float32 [N, *shape], drawn like :meth:`rand`."""
        return self._own_rows(
            torch.randn(
                self._world_shape(shape), generator=self.generator, device=self.levels.device
            )
        )

    def latents(self, latent: Latent) -> Tensor:
        """Returns a latent for each image, float32 [N, latent.size], drawn like :meth:`rand`."""
        if latent.distribution == "normal":
            return self.randn(latent.size)
        uniform = self.rand(latent.size)
        return uniform.logit(eps=2**-25) if latent.distribution == "logistic" else uniform

    def with_generator(self, generator: torch.Generator) -> Batch:
        """Returns the same images with fresh noise from ``generator``."""
        return replace(self, generator=generator)

    def _world_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.world * len(self), *shape)

    def _own_rows(self, noise: Tensor) -> Tensor:
        return noise[self.rank * len(self) : (self.rank + 1) * len(self)]
