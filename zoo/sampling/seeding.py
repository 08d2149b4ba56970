"""Seeds derived from the user's seed and the purpose of the random numbers."""

from __future__ import annotations

_MASK = 2**64 - 1


def seed_for(seed: int, purpose: int, index: int = 0) -> int:
    """Returns a 63-bit seed for torch, by SplitMix64 over the three arguments."""
    state = 0
    for part in (seed, purpose, index):
        state = (state + part + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


WEIGHTS, STEP, FIRST_BATCH, EVALUATION, SUBSETS, CLASSIFIER = range(6)
"""Purposes: initial weights, a training step, the batch of data-dependent initialization, an
evaluation, the subsets of KID, the feature classifier."""


def seed_torch(seed: int, purpose: int, index: int = 0) -> None:
    """Seeds torch's global generators on every device, without synchronization."""
    import torch

    torch.manual_seed(seed_for(seed, purpose, index))
