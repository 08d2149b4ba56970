"""Improved precision and recall of generated images."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

NEIGHBORS = 3

MIN_IMAGES = NEIGHBORS + 1
"""Minimum number of images in each set."""

BLOCK = 2**23
"""Number of distances in memory at a time, 64 MiB."""


def precision_recall(
    real: Tensor,
    generated: Tensor,
    neighbors: int = NEIGHBORS,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[float, float]:
    """Computes improved precision and recall of features ``[N, D]`` and ``[M, D]``, float64, each
    from 0 to 1 (Kynkäänniemi et al. 2019, Improved precision and recall metric for assessing
    generative models, eq. 1 and 2).

    The manifold of a set is the union of balls around its members, each with the distance to the
    k-th nearest neighbor as its radius. Precision is the fraction of ``generated`` in the manifold
    of ``real``, recall the fraction of ``real`` in the manifold of ``generated``.
    """
    total = 2 * len(real) + len(generated)
    report = progress or (lambda done, total: None)
    real_radii = radii(real, neighbors, lambda done: report(done, total))
    generated_radii = radii(generated, neighbors, lambda done: report(len(real) + done, total))
    precise = torch.zeros(len(generated), dtype=torch.bool, device=generated.device)
    covered = 0
    for first, distances in _blocks(real, generated):
        precise |= (distances <= real_radii[first : first + len(distances), None]).any(0)
        covered += int((distances <= generated_radii).any(1).sum())
        report(len(real) + len(generated) + first + len(distances), total)
    return precise.double().mean().item(), covered / len(real)


def radii(
    features: Tensor, neighbors: int, progress: Callable[[int], None] | None = None
) -> Tensor:
    """Returns the distance from each row to its k-th nearest neighbor, ``[N]``."""
    parts = []
    for first, distances in _blocks(features, features):
        # The nearest row is the row itself, at distance 0.
        parts.append(distances.kthvalue(neighbors + 1, dim=1).values)
        if progress is not None:
            progress(first + len(distances))
    return torch.cat(parts)


def _blocks(rows: Tensor, columns: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yields the distances from a block of rows to all columns, with the index of its first row.

    They are computed from differences, not products, so that copies are at distance exactly 0.
    """
    step = max(1, BLOCK // len(columns))
    for first in range(0, len(rows), step):
        part = rows[first : first + step]
        yield first, torch.cdist(part, columns, compute_mode="donot_use_mm_for_euclid_dist")
