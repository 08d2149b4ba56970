"""Every random draw is a function of the seed and of what it is for."""

from __future__ import annotations

_MASK = 2**64 - 1


def seed_for(seed: int, purpose: int, index: int = 0) -> int:
    """A 63-bit seed for torch, by SplitMix64 over its three parts."""
    state = 0
    for part in (seed, purpose, index):
        state = (state + part + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


WEIGHTS, STEP, FIRST_BATCH, EVALUATION, SUBSETS, CLASSIFIER = range(6)
"""What draws are for: the first weights, a step, the batch that initialises, an evaluation, the
subsets that a figure is a mean over, a network that features are of."""


def seed_torch(seed: int, purpose: int, index: int = 0) -> None:
    """Seed torch's global generators, on every device, without waiting for one."""
    import torch

    torch.manual_seed(seed_for(seed, purpose, index))
