"""Walks between latents; numpy alone, as the latents themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.sampling import latents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.specs import Latent, LatentDistribution

_STRAIGHT = 1e-6
"""Latents whose directions differ by less than this angle from none, or from the opposite, have no
great circle between them."""


def interpolate(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    steps: int,
    distribution: LatentDistribution = "normal",
) -> NDArray[np.float32]:
    """Latents on the way from each of ``a`` ``[N, size]`` to its partner in ``b``, both included:
    float32 ``[N, steps, size]``.

    Normal latents go along the great circle (White 2016, Sampling Generative Networks), which
    keeps their length; others go straight.
    """
    t = np.linspace(0, 1, steps)
    share_a, share_b = np.broadcast_arrays(1 - t, t, np.empty((len(a), 1)))[:2]
    if distribution == "normal":
        angle = _angle(a.astype(np.float64), b.astype(np.float64))[:, None]
        straight = np.sin(angle) < _STRAIGHT
        sine = np.where(straight, 1, np.sin(angle))
        share_a = np.where(straight, share_a, np.sin((1 - t) * angle) / sine)
        share_b = np.where(straight, share_b, np.sin(t * angle) / sine)
    found = share_a[..., None] * a[:, None] + share_b[..., None] * b[:, None]
    return found.astype(np.float32)


def interpolations(latent: Latent, rows: int, columns: int, seed: int) -> NDArray[np.float32]:
    """Walks between the latents of the pictures 2r and 2r + 1 of a seed, for each of ``rows``, in
    ``columns`` steps: float32 ``[rows * columns, latent.size]``.

    Raises UsageError for fewer than one row or two columns.
    """
    if rows < 1 or columns < 2:
        raise UsageError(
            f"an interpolation needs 1 row and 2 columns at least, got {rows} and {columns}"
        )
    ends = latents.draw(2 * rows, latent.size, latent.distribution, seed)
    path = interpolate(ends[0::2], ends[1::2], columns, latent.distribution)
    return path.reshape(-1, latent.size)


def _angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return np.arccos(np.clip(cosine, -1, 1))
