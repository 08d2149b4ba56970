"""Time and memory of training steps, and the rate of matrix products.

Protocol: after a warm-up of whole steps, peers alternate for at least three rounds. A call is a
block of steps with one synchronization of the device, so that steps stay queued. The time per step
is the median over blocks, divided by their steps; a ratio is the median of the ratios of rounds.
Memory is measured first, of each peer alone: what it keeps and what a step adds. The matrix rate is
that of the fastest product of square matrices, before and after all other measurements. The machine
should be idle otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from zoo_onnx.bench.measure import Timing, alternate

Step = Callable[[], object]

WARM_UP = 3
"""Steps before measuring: they load libraries, select algorithms and fill memory caches."""

BLOCK = {"cuda": 5, "cpu": 1}
"""Steps per block, which ends with a synchronization."""

PRODUCTS = {"cuda": (4096, 8192), "cpu": (512, 1024)}
"""Sizes of the square matrices of the matrix rate."""

RATE = {"cuda": torch.bfloat16, "cpu": torch.float32}
"""Their dtype: many processors have no bf16."""

PROTOCOL = " ".join((__doc__ or "").partition("Protocol: ")[2].split())


@dataclass(frozen=True)
class Speed:
    """Seconds per step, images per second, and the speedup over another peer in the same rounds."""

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
    """Measures ``steps`` of ``images`` images each, with speedups over the peer ``other``."""
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
    """Returns speeds from times of blocks of ``block`` steps; ``images`` are per step."""
    measured = {}
    for name, timing in timed.items():
        seconds = timing.median / block
        ratio = None
        if other in timed:
            # Peers may differ in their number of images per step.
            ratio = timing.times_as_fast_as(timed[other]) * images[name] / images[other]
        measured[name] = Speed(seconds, images[name] / seconds, ratio)
    return measured


def fraction_of_rate(operations_per_image: float, images_per_second: float, rate: float) -> float:
    """The fraction of ``rate``, in operations per second, that ``images_per_second`` reach."""
    return operations_per_image * images_per_second / rate


class Memory:
    """Peak CUDA memory of a peer, without what was allocated before; None on other devices."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._before = self._allocated()

    def peak(self, step: Step) -> int | None:
        """Returns the peak in bytes of ``step`` after a warm-up; includes what was allocated since
        the construction of this object."""
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
    """The part of ``peak`` above ``before``."""
    return max(0, peak - before)


def matrix_rate(device: torch.device, seconds: float = 0.3) -> float:
    """Operations per second of the fastest matrix product; a multiply-add is two operations."""
    best = 0.0
    for size in PRODUCTS[device.type]:
        a, b = torch.randn(2, size, size, device=device, dtype=RATE[device.type])
        fastest, spent, tries = float("inf"), 0.0, 0
        while tries < 3 or spent < seconds:
            wait(device)
            start = time.perf_counter()
            torch.mm(a, b)
            wait(device)
            elapsed = time.perf_counter() - start
            fastest, spent, tries = min(fastest, elapsed), spent + elapsed, tries + 1
        best = max(best, 2 * size**3 / fastest)
    return best


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
