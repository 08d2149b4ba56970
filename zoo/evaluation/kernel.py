"""The kernel distance between two sets of features: KID."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.sampling.seeding import SUBSETS, generator_for

MAX_SUBSETS = 100
MAX_SUBSET_SIZE = 1000

MIN_IMAGES = 2
"""Minimum number of images in each set."""


def subsets_of(real: int, generated: int) -> tuple[int, int]:
    """Returns the number of subsets and their size: 100 of up to 1,000 images, or one if both sets
    have that size."""
    size = min(MAX_SUBSET_SIZE, real, generated)
    return (1 if size == real == generated else MAX_SUBSETS), size


def kernel_distance(real: Tensor, generated: Tensor, seed: int = 0) -> tuple[float, float]:
    """Returns the mean and standard deviation, over random subsets, of the unbiased estimate of
    MMD^2 with the kernel k(x, y) = (x . y / D + 1)^3, of features ``[N, D]`` and ``[M, D]``,
    float64 (Binkowski et al. 2018, Demystifying MMD GANs, section 4).

    For two sets from the same distribution the expectation is 0; the estimate may be negative.
    """
    from torchmetrics.image.kid import poly_mmd

    subsets, size = subsets_of(len(real), len(generated))
    real, generated = real.double(), generated.double()
    generator = generator_for(seed, SUBSETS)

    def subset(features: Tensor) -> Tensor:
        return features[torch.randperm(len(features), generator=generator)[:size]]

    # Not torchmetrics' KernelInceptionDistance, which draws from torch's global generator.
    values = torch.stack([poly_mmd(subset(real), subset(generated)) for _ in range(subsets)])
    return float(values.mean()), float(values.std(unbiased=False))
