"""A batch of pictures as a training step sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from zoo.data.quantize import dequantize, to_images
from zoo.specs import Latent


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's pictures of a batch, on its device.

    ``levels`` uint8 [N, C, S, S], 0 to 2^bits - 1; ``labels`` int64 [N], or None where the
    pictures have none. ``world`` processes hold N pictures each, and this is the ``rank``-th.
    """

    levels: Tensor
    labels: Tensor | None
    bits: int
    rank: int = 0
    world: int = 1

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def dimensions(self) -> int:
        """Numbers in a picture, C * S * S."""
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

        Drawn once, with :meth:`rand`, when it is first asked for.
        """
        return dequantize(self.levels, self.rand(*self.levels.shape[1:]), self.bits)

    def rand(self, *shape: int) -> Tensor:
        """Uniform on [0, 1), float32 [N, *shape].

        The global generator of the device draws for all processes, and each keeps its own rows:
        with the same seed, several processes draw together what one would draw alone.
        """
        return self._mine(torch.rand(self._world_shape(shape), device=self.levels.device))

    def randn(self, *shape: int) -> Tensor:
        """Standard normal, float32 [N, *shape], drawn as :meth:`rand` draws."""
        return self._mine(torch.randn(self._world_shape(shape), device=self.levels.device))

    def latents(self, latent: Latent) -> Tensor:
        """A latent for each picture, float32 [N, latent.size], drawn as :meth:`rand` draws."""
        if latent.distribution == "normal":
            return self.randn(latent.size)
        uniform = self.rand(latent.size)
        return uniform.logit(eps=2**-25) if latent.distribution == "logistic" else uniform

    def _world_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.world * len(self), *shape)

    def _mine(self, drawn: Tensor) -> Tensor:
        return drawn[self.rank * len(self) : (self.rank + 1) * len(self)]
