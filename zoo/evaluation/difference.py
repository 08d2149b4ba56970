"""Difference between images and their originals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Difference:
    """The ``mean`` and the ``largest`` absolute difference over all values in [0, 1], and the peak
    signal-to-noise ratio ``psnr`` in dB, infinite without a difference."""

    mean: float
    largest: float
    psnr: float

    def __str__(self) -> str:
        if not self.largest:
            return "no difference"
        return (
            f"mean difference {self.mean:.2g}, largest {self.largest:.2g} (of 0 to 1), "
            f"PSNR {self.psnr:.1f} dB"
        )


def difference(originals: Tensor, images: Tensor) -> Difference:
    """Returns the difference of two tensors of the same shape, with values in [0, 1]."""
    gap = (originals.double() - images.double()).abs()
    square = gap.square().mean().item()
    psnr = -10 * math.log10(square) if square else math.inf
    return Difference(gap.mean().item(), gap.max().item(), psnr)
