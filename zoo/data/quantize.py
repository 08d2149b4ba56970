"""Pixel values and the unit cube: B. Uria et al. 2013 (RNADE); L. Theis et al. 2016, section 3.1.

An image of b bits has levels 0 to 2^b - 1. As floats in [0, 1] they are level / (2^b - 1), so that
black is 0 and white is 1. In the *unit cube*, the space of densities, level k has the bin
[k, k + 1) / 2^b.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_MANTISSA = 24  # bits of a float32


def to_levels(pixels: Tensor, bits: int) -> Tensor:
    """Returns the upper bits of uint8 pixels, 0 to 255: uint8 levels 0 to 2^bits - 1."""
    return pixels if bits == 8 else pixels >> (8 - bits)


def to_images(levels: Tensor, bits: int) -> Tensor:
    """Returns levels as float32 images in [0, 1]."""
    return levels.float() / (2**bits - 1)


def to_unit(images: Tensor, bits: int) -> Tensor:
    """Returns the centers of the bins of images in [0, 1], in the unit cube; keeps the dtype."""
    return (images * (2**bits - 1) + 0.5) / 2**bits


def from_unit(x: Tensor, bits: int) -> Tensor:
    """Inverts :func:`to_unit`, clamped to [0, 1]."""
    return from_unit_unclamped(x, bits).clamp(0, 1)


def from_unit_unclamped(x: Tensor, bits: int) -> Tensor:
    """Inverts :func:`to_unit`, up to half a bin outside of [0, 1]."""
    return (x * 2**bits - 0.5) / (2**bits - 1)


def dequantize(levels: Tensor, noise: Tensor, bits: int) -> Tensor:
    """Returns (level + noise) / 2^bits, float32 in [0, 1), for noise uniform on [0, 1)."""
    # The noise keeps only the bits that float32 has beside the level. The sum is then exact; else
    # one pixel in a hundred thousand would be rounded up into the next bin.
    scale = 2 ** (_MANTISSA - bits)
    noise = (noise * scale).floor() / scale
    return (levels + noise) / 2**bits
