"""How much of what is drawn looks real, and how much of what is real is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

NEIGHBORS = 3

FEWEST = NEIGHBORS + 1
"""So many images of each set it needs."""

BLOCK = 2**23
"""So many distances are in memory at a time, 64 MiB of them."""


def precision_recall(
    real: Tensor,
    drawn: Tensor,
    neighbors: int = NEIGHBORS,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[float, float]:
    """Improved precision and recall of features ``[N, D]`` and ``[M, D]``, float64, each from 0 to
    1 (Kynkäänniemi et al. 2019, Improved precision and recall metric for assessing generative
    models, eq. 1 and 2).

    Each set spans what lies within the distance of one of its members to that member's k-th
    nearest other. Precision is the part of ``drawn`` in what ``real`` spans, recall the part of
    ``real`` in what ``drawn`` spans.
    """
    total = 2 * len(real) + len(drawn)
    report = progress or (lambda done, total: None)
    reach_real = radii(real, neighbors, lambda done: report(done, total))
    reach_drawn = radii(drawn, neighbors, lambda done: report(len(real) + done, total))
    inside = torch.zeros(len(drawn), dtype=torch.bool, device=drawn.device)
    covered = 0
    for first, distances in _blocks(real, drawn):
        inside |= (distances <= reach_real[first : first + len(distances), None]).any(0)
        covered += int((distances <= reach_drawn).any(1).sum())
        report(len(real) + len(drawn) + first + len(distances), total)
    return inside.double().mean().item(), covered / len(real)


def radii(
    features: Tensor, neighbors: int, progress: Callable[[int], None] | None = None
) -> Tensor:
    """The distance of each to its k-th nearest other, ``[N]``."""
    found = []
    for first, distances in _blocks(features, features):
        # An image is its own nearest, at distance 0, and does not count.
        found.append(distances.kthvalue(neighbors + 1, dim=1).values)
        if progress is not None:
            progress(first + len(distances))
    return torch.cat(found)


def _blocks(rows: Tensor, columns: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The distances from some rows to all columns, with the first row's number.

    From the differences themselves, not from products: copies are at a distance of exactly 0.
    """
    step = max(1, BLOCK // len(columns))
    for first in range(0, len(rows), step):
        part = rows[first : first + step]
        yield first, torch.cdist(part, columns, compute_mode="donot_use_mm_for_euclid_dist")
