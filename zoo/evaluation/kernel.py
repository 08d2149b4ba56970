"""The kernel distance of two sets of features: KID."""

from __future__ import annotations

import warnings

from torch import Tensor

from zoo.evaluation.frechet import Given
from zoo.sampling.seeding import SUBSETS, seed_torch

MOST_SUBSETS = 100
LARGEST_SUBSET = 1000

FEWEST = 2
"""So many pictures of each set it needs."""


def subsets_of(real: int, drawn: int) -> tuple[int, int]:
    """How many subsets of how many pictures: 100 of 1,000; of smaller sets, whose subset is the
    whole, one."""
    size = min(LARGEST_SUBSET, real, drawn)
    return (1 if size == real == drawn else MOST_SUBSETS), size


def kernel_distance(real: Tensor, drawn: Tensor, seed: int = 0) -> tuple[float, float]:
    """The mean and standard deviation, over subsets drawn by ``seed``, of the unbiased estimate of
    MMD^2 by the kernel k(x, y) = (x . y / D + 1)^3, of features ``[N, D]`` and ``[M, D]``, float64
    (Binkowski et al. 2018, Demystifying MMD GANs, section 4).

    Unbiased: of two sets of one distribution it is 0 on average, and may be negative.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    subsets, size = subsets_of(len(real), len(drawn))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance`", UserWarning)
        metric = KernelInceptionDistance(Given(real.shape[1]), subsets=subsets, subset_size=size)
    metric.update(real.double(), real=True)
    metric.update(drawn.double(), real=False)
    seed_torch(seed, SUBSETS)
    mean, deviation = metric.compute()
    return float(mean), float(deviation)
