"""Metrics that add up on the device and are read now and then."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from accelerate import Accelerator


class Meter:
    """Sums of metrics since they were last read, and the first step with a value that is no number.

    Adding waits for nothing; reading waits for the device.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._bad = torch.full((), -1, dtype=torch.int64, device=accelerator.device)
        self._sums: dict[str, Tensor] = {}
        self._steps, self._since = 0, time.perf_counter()

    def add(self, step: int, metrics: Mapping[str, Tensor], norms: Iterable[Tensor]) -> None:
        """Add a step's metrics; ``norms`` are lengths of gradients, watched and not summed."""
        finite = torch.stack([value.isfinite() for value in (*metrics.values(), *norms)]).all()
        self._bad = torch.where((self._bad < 0) & ~finite, step, self._bad)
        for name, value in metrics.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._steps += 1

    @property
    def first_bad_step(self) -> int | None:
        """The first step, ever, whose values were not all finite."""
        step = int(self._bad.item())
        return step if step >= 0 else None

    def read(self) -> tuple[dict[str, float], float]:
        """Means over the steps since the last reading, over all processes, and steps a second."""
        means = {name: value / self._steps for name, value in self._sums.items()}
        if self._accelerator.num_processes > 1:
            means = {name: self._accelerator.reduce(m, "mean") for name, m in means.items()}
        values = {name: float(mean) for name, mean in means.items()}
        speed = self._steps / (time.perf_counter() - self._since)
        self._sums, self._steps = {}, 0
        self.restart_clock()
        return values, speed

    def restart_clock(self) -> None:
        """Leave what happened until now out of the speed."""
        self._since = time.perf_counter()
