"""Time of calls in alternation, the rate of matrix products, and peak memory; results.PROTOCOL
states the protocol."""

from __future__ import annotations

import contextlib
import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from zoo_onnx.bench.limit import tf32

Step = Callable[[], object]
Times = dict[str, list[float]]
"""Seconds per step of each call, in each round."""

WARM_UP = 2
"""Steps before measuring: they load libraries, select algorithms and fill memory caches."""

MIN_ROUNDS = 3
"""Minimum number of rounds, even if they take longer than the time for a row."""

BLOCK_SECONDS = 0.05
"""Minimum time of a block of steps."""

PRODUCTS = {"cuda": (4096, 8192), "cpu": (512, 1024, 2048)}
"""Sizes of the square matrices of the matrix rate."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

PRODUCT = "product"
"""Name of the matrix product among the calls that alternate."""


def alternate(
    steps: Mapping[str, Step], rounds: int, seconds: float, device: torch.device
) -> Times:
    """Times ``steps`` in at most ``rounds`` rounds, which end after ``seconds``, but in at least
    :data:`MIN_ROUNDS`."""
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
        wait(device)
    lengths = {name: _block(step, device) for name, step in steps.items()}
    times: Times = {name: [] for name in steps}
    started, names = time.perf_counter(), list(steps)
    for index in range(rounds):
        if index >= MIN_ROUNDS and time.perf_counter() - started > seconds:
            break
        for name in names if index % 2 == 0 else reversed(names):
            times[name].append(seconds_of(steps[name], lengths[name], device))
    return times


def seconds_of(step: Step, count: int, device: torch.device) -> float:
    """Seconds of a step, in a block of ``count``."""
    wait(device)
    start = time.perf_counter()
    for _ in range(count):
        step()
    wait(device)
    return (time.perf_counter() - start) / count


def _block(step: Step, device: torch.device) -> int:
    """The number of steps of a block."""
    seconds = seconds_of(step, 1, device)
    return max(1, min(1000, round(BLOCK_SECONDS / max(seconds, 1e-6))))


def ratio(times: Mapping[str, Sequence[float]], name: str, other: str) -> float:
    """How many times as fast ``name`` is as ``other``: the median of the ratios of the rounds."""
    pairs = zip(times[name], times[other], strict=True)
    return statistics.median(theirs / own for own, theirs in pairs)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0]
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, upper


def fraction_of_limit(
    times: Mapping[str, Sequence[float]], name: str, operations: float, per_product: float
) -> float:
    """The fraction of a step's time that its ``operations`` would take at the rate of the matrix
    product in the same round, which has ``per_product`` of them."""
    return ratio(times, name, PRODUCT) * operations / per_product


def product(precision: str, device: torch.device, sizes: Sequence[int] = ()) -> tuple[Step, float]:
    """The matrix product of the highest rate in ``precision``, and its number of operations; a
    multiply-add is two. float32 on CUDA is in TF32, as its convolutions are by default."""
    best: tuple[float, Step, float] | None = None
    for size in sizes or PRODUCTS[device.type]:
        a, b = torch.randn(2, size, size, device=device).to(DTYPES[precision])

        def call(a: torch.Tensor = a, b: torch.Tensor = b) -> None:
            with tf32() if device.type == "cuda" else contextlib.nullcontext():
                torch.mm(a, b)

        call()
        operations = 2.0 * size**3
        rate = operations / min(seconds_of(call, 1, device) for _ in range(3))
        if best is None or rate > best[0]:
            best = rate, call, operations
    assert best is not None
    return best[1:]


class Memory:
    """Peak memory since the construction of this object, without what was allocated before: torch's
    allocations on CUDA, the resident set on Linux, else None."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        free_memory(device)
        self._before = self._peak(reset=True)

    def restart(self) -> None:
        """Forgets the peak so far, but not what is allocated."""
        free_memory(self._device)
        self._peak(reset=True)

    def peak(self) -> int | None:
        """Bytes."""
        wait(self._device)
        now = self._peak()
        return None if now is None or self._before is None else max(0, now - self._before)

    def _peak(self, reset: bool = False) -> int | None:
        if self._device.type == "cuda":
            if reset:
                torch.cuda.reset_peak_memory_stats(self._device)
            return torch.cuda.max_memory_allocated(self._device)
        return resident_peak(reset)


def resident_peak(reset: bool = False) -> int | None:
    """The peak of the resident set in bytes, from now on with ``reset``; None if not on Linux."""
    if sys.platform != "linux":
        return None
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def free_memory(device: torch.device) -> None:
    """Returns memory that is not in use to the system, or to CUDA."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
    elif sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError, OSError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timing(times: Mapping[str, Sequence[float]], name: str, images: int) -> dict[str, Any]:
    """Milliseconds, their quartiles, images per second and the number of rounds, for JSON."""
    lower, upper = spread(times[name])
    median = statistics.median(times[name])
    return {
        "ms": 1000 * median,
        "ms_quartiles": [1000 * lower, 1000 * upper],
        "images_per_second": images / median,
        "rounds": len(times[name]),
    }
