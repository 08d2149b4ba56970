"""Pixel values and the unit cube: B. Uria et al. 2013 (RNADE); L. Theis et al. 2016, section 3.1.

A picture of b bits has levels 0 to 2^b - 1. As numbers in [0, 1], *images*, they are
level / (2^b - 1), so that black is 0 and white is 1. In the *unit cube*, where densities live,
level k owns the bin [k, k + 1) / 2^b.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_MANTISSA = 24  # bits of a float32


def to_levels(pictures: Tensor, bits: int) -> Tensor:
    """uint8 pictures, 0 to 255, as uint8 levels 0 to 2^bits - 1: the upper bits are kept."""
    return pictures if bits == 8 else pictures >> (8 - bits)


def to_images(levels: Tensor, bits: int) -> Tensor:
    """Levels as float32 images in [0, 1]."""
    return levels.float() / (2**bits - 1)


def to_unit(images: Tensor, bits: int) -> Tensor:
    """Images in [0, 1] at the centres of their bins in the unit cube; of the images' dtype."""
    return (images * (2**bits - 1) + 0.5) / 2**bits


def from_unit(x: Tensor, bits: int) -> Tensor:
    """The inverse of :func:`to_unit`, clamped to [0, 1]."""
    return ((x * 2**bits - 0.5) / (2**bits - 1)).clamp(0, 1)


def dequantize(levels: Tensor, noise: Tensor, bits: int) -> Tensor:
    """Levels spread over their bins, (level + noise) / 2^bits, float32 in [0, 1).

    ``noise`` is uniform on [0, 1) and of the levels' shape.
    """
    # The noise keeps only the bits that float32 has left beside the level: the sum is then exact,
    # and never rounds up into the next bin, which one pixel in a hundred thousand otherwise does.
    scale = 2 ** (_MANTISSA - bits)
    noise = (noise * scale).floor() / scale
    return (levels + noise) / 2**bits
