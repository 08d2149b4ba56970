"""Random numbers that depend on the user's seed alone, and leave torch's global state as it was.

Noise is drawn from a generator of its own (:func:`generator_for`). Layers that initialize
themselves and hooks of plugins may use torch's global generators: they run under :func:`seeded` or
:func:`preserved`, which restore those generators.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

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


INITIALIZATION, STEP, FIRST_BATCH, SCORING, SUBSETS, CLASSIFIER = range(6)
"""Purposes: initial weights, a training step, the batch of data-dependent initialization, scores,
the subsets of KID, the feature classifier."""

HOOK = 100
"""Added to the purpose of a batch: torch's global generators in the hook that gets the batch. Noise
that the hook draws from them is independent of the batch's own."""


def generator_for(
    seed: int, purpose: int, index: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Returns a new generator on ``device``, without synchronization."""
    import torch

    return torch.Generator(device).manual_seed(seed_for(seed, purpose, index))


GLOBAL_STATE = threading.RLock()
"""Held while genzoo uses torch's global generators; outside, their state is the caller's."""


@contextmanager
def preserved(device: torch.device | str = "cpu") -> Iterator[list[torch.Generator]]:
    """Restores torch's global generators of the CPU and of ``device``, which it yields, on exit.

    One thread at a time is inside. Does not wait for the device.
    """
    generators = _global_generators(device)
    with GLOBAL_STATE:
        states = [generator.get_state() for generator in generators]
        try:
            yield generators
        finally:
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)


@contextmanager
def seeded(
    seed: int, purpose: int, index: int = 0, device: torch.device | str = "cpu"
) -> Iterator[None]:
    """Seeds torch's global generators of the CPU and of ``device``, and restores them on exit; see
    :func:`preserved`."""
    with preserved(device) as generators:
        for generator in generators:
            generator.manual_seed(seed_for(seed, purpose, index))
        yield


def _global_generators(device: torch.device | str) -> list[torch.Generator]:
    import torch

    generators = [torch.default_generator]
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    elif device.type == "mps":
        generators.append(torch.mps._get_default_mps_generator())
    return generators
