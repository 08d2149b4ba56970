"""Interpolation of latents, in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.sampling import latents
from zoo.sampling.checks import check_integer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.specs import Latent, LatentDistribution

_MIN_SINE = 1e-6
"""Minimum sine of the angle between two latents for spherical interpolation; nearly parallel and
nearly opposite latents are interpolated linearly."""


def interpolate(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    steps: int,
    distribution: LatentDistribution = "normal",
) -> NDArray[np.float32]:
    """Returns ``steps`` latents from each row of ``a`` ``[N, size]`` to that of ``b``, endpoints
    included: float32 ``[N, steps, size]``.

    Normal latents are interpolated along the great circle (White 2016, Sampling Generative
    Networks), which preserves their norm; others linearly.
    """
    t = np.linspace(0, 1, steps)
    weight_a, weight_b = np.broadcast_arrays(1 - t, t, np.empty((len(a), 1)))[:2]
    if distribution == "normal":
        angle = _angle(a.astype(np.float64), b.astype(np.float64))[:, None]
        linear = np.sin(angle) < _MIN_SINE
        sine = np.where(linear, 1, np.sin(angle))
        weight_a = np.where(linear, weight_a, np.sin((1 - t) * angle) / sine)
        weight_b = np.where(linear, weight_b, np.sin(t * angle) / sine)
    path = weight_a[..., None] * a[:, None] + weight_b[..., None] * b[:, None]
    return path.astype(np.float32)


def interpolations(latent: Latent, rows: int, columns: int, seed: int) -> NDArray[np.float32]:
    """Returns interpolations between the latents of images 2r and 2r + 1 of a seed, one for each of
    ``rows``, in ``columns`` steps: float32 ``[rows * columns, latent.size]``.

    Raises UsageError for fewer than one row or two columns.
    """
    rows, columns = check_integer(rows, "rows", 1), check_integer(columns, "columns", 2)
    ends = latents.draw(2 * rows, latent.size, latent.distribution, seed)
    path = interpolate(ends[0::2], ends[1::2], columns, latent.distribution)
    return path.reshape(-1, latent.size)


def _angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return np.arccos(np.clip(cosine, -1, 1))
