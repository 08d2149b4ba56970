"""Reproducible latents of a seed, in numpy.

Philox-4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3) with the seed as
its key and (block, index of the image) as its counter. Image i depends on (seed, i) alone, not on
the number of images or the batch size, and twenty lines in any language reproduce the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.sampling.checks import check_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.specs import LatentDistribution

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))


def draw(
    n: int,
    size: int,
    distribution: LatentDistribution = "normal",
    seed: int = 0,
    first: int = 0,
) -> NDArray[np.float32]:
    """Returns the latents of images ``first`` ... ``first + n - 1``: float32 ``[n, size]``.

    ``distribution`` is ``"normal"`` (mean 0, variance 1), ``"uniform"`` in (0, 1) or
    ``"logistic"`` (location 0, scale 1). Raises UsageError for a seed outside 0 ... 2^64 - 1.
    """
    seed = check_seed(seed)
    blocks = -(-size // 4)
    index = np.arange(first, first + n, dtype=np.uint64)[:, None]
    block = np.arange(blocks, dtype=np.uint64)[None, :]
    counter = np.broadcast_arrays(block & _LOW, block >> _HALF, index & _LOW, index >> _HALF)
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    uniform = (np.stack(words, axis=-1).astype(np.float64) + 0.5) / 2.0**32
    if distribution == "normal":
        radius = np.sqrt(-2 * np.log(uniform[..., 0::2]))
        angle = 2 * np.pi * uniform[..., 1::2]
        values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    elif distribution == "logistic":
        values = np.log(uniform) - np.log1p(-uniform)
    else:
        values = uniform
    return values.reshape(n, 4 * blocks)[:, :size].astype(np.float32)


def philox(
    counter: list[NDArray[np.uint64]] | tuple[NDArray[np.uint64], ...], key: tuple[int, int]
) -> tuple[NDArray[np.uint64], ...]:
    """Applies ten rounds of Philox-4x32 to four arrays of 32-bit words, held in uint64."""
    c0, c1, c2, c3 = counter
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _HALF) ^ c1 ^ k0,
            product1 & _LOW,
            (product0 >> _HALF) ^ c3 ^ k1,
            product0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3
