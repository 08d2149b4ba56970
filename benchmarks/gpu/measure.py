"""Timing training steps that take turns, their memory, and the rate that a machine reaches.

Protocol: every contender has a warm-up of whole steps first; then contenders take turns, at least
three rounds of them; a call is a block of steps and one wait for the device, so that what is queued
ahead stays queued; a step's time is the median of its blocks over their steps, and a ratio the
median of each round's ratio. Memory is measured before, of each contender alone: what it keeps and
what a step adds. The matrix rate is that of the fastest product of square matrices, before and
after everything else. Nothing else should run on the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from zoo_onnx.bench.measure import Timing, alternate

Step = Callable[[], object]

WARM_UP = 3
"""Steps before anything is measured: libraries are loaded, algorithms chosen, memory cached."""

BLOCK = {"cuda": 5, "cpu": 1}
"""Steps in a block that ends with a wait."""

PRODUCTS = {"cuda": (4096, 8192), "cpu": (512, 1024)}
"""Rows of the square matrices whose product's rate is taken."""

RATE = {"cuda": torch.bfloat16, "cpu": torch.float32}
"""The type of their numbers: many processors have no bf16."""

PROTOCOL = " ".join((__doc__ or "").partition("Protocol: ")[2].split())


@dataclass(frozen=True)
class Speed:
    """Of a contender: seconds a step, images a second, and times as fast as the one it is set
    beside, in the same rounds."""

    step_seconds: float
    images_per_second: float
    times_other: float | None


def speeds(
    steps: Mapping[str, Step],
    images: Mapping[str, int],
    other: str,
    seconds: float,
    device: torch.device,
) -> dict[str, Speed]:
    """The speed of each of ``steps``, of ``images`` a step, beside the contender ``other``."""
    block = BLOCK[device.type]

    def blocks_of(step: Step) -> Step:
        def call() -> None:
            for _ in range(block):
                step()
            wait(device)

        return call

    timed = alternate({name: blocks_of(step) for name, step in steps.items()}, seconds)
    return speeds_of(timed, images, block, other)


def speeds_of(
    timed: Mapping[str, Timing], images: Mapping[str, int], block: int, other: str
) -> dict[str, Speed]:
    """Speeds from the times of blocks of ``block`` steps; ``images`` are those of one step."""
    found = {}
    for name, timing in timed.items():
        each = timing.median / block
        ratio = None
        if other in timed:
            # Contenders may take another number of images a step.
            ratio = timing.times_as_fast_as(timed[other]) * images[name] / images[other]
        found[name] = Speed(each, images[name] / each, ratio)
    return found


def part_of_rate(operations_per_image: float, images_per_second: float, rate: float) -> float:
    """The part of ``rate``, operations a second, that ``images_per_second`` amount to."""
    return operations_per_image * images_per_second / rate


class Memory:
    """The most memory that a contender takes on CUDA: what it keeps and what a step adds, without
    what others keep there. None elsewhere."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._before = self._allocated()

    def peak(self, step: Step) -> int | None:
        """Bytes, over a warm-up and ``step`` once more; what is made between the construction and
        this call counts as kept."""
        for _ in range(WARM_UP):
            step()
        wait(self.device)
        if self.device.type != "cuda":
            return None
        torch.cuda.reset_peak_memory_stats(self.device)
        step()
        wait(self.device)
        return own_peak(self._before, torch.cuda.max_memory_allocated(self.device))

    def _allocated(self) -> int:
        if self.device.type != "cuda":
            return 0
        return torch.cuda.memory_allocated(self.device)


def own_peak(before: int, peak: int) -> int:
    """The part of ``peak`` that came on top of what was there ``before``."""
    return max(0, peak - before)


def matrix_rate(device: torch.device, seconds: float = 0.3) -> float:
    """Operations a second, two a multiply-add, in the fastest of some matrix products."""
    best = 0.0
    for size in PRODUCTS[device.type]:
        a, b = torch.randn(2, size, size, device=device, dtype=RATE[device.type])
        fastest, spent, tries = float("inf"), 0.0, 0
        while tries < 3 or spent < seconds:
            wait(device)
            start = time.perf_counter()
            torch.mm(a, b)
            wait(device)
            took = time.perf_counter() - start
            fastest, spent, tries = min(fastest, took), spent + took, tries + 1
        best = max(best, 2 * size**3 / fastest)
    return best


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
