"""Training metrics, accumulated on the device."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from accelerate import Accelerator


class Meter:
    """Sums of metrics since the last reading, and the first step with a value that is not finite.

    Adding does not synchronize with the device; reading does.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._bad = torch.full((), -1, dtype=torch.int64, device=accelerator.device)
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._steps, self._timed_steps, self._since = 0, 0, time.perf_counter()

    def add(
        self,
        step: int,
        metrics: Mapping[str, Tensor],
        norms: Iterable[Tensor],
        timed: bool = True,
    ) -> None:
        """Adds the metrics of a step; gradient ``norms`` are only checked to be finite.

        A step that is not ``timed``, and those before it, do not count in the speed.
        """
        names = tuple(metrics)
        values = torch.stack([*metrics.values(), *norms])
        finite = values.isfinite().all()
        self._bad = torch.where(finite | (self._bad >= 0), self._bad, step)
        total = self._sums.get(names)
        values = values[: len(names)]
        self._sums[names] = values if total is None else total + values
        self._steps += 1
        self._timed_steps += 1
        if not timed:
            self._timed_steps = 0
            self.restart_clock()

    @property
    def first_bad_step(self) -> int | None:
        """The first step with a value that is not finite."""
        step = int(self._bad.item())
        return step if step >= 0 else None

    def read(self) -> tuple[dict[str, float], float]:
        """Returns means over the steps since the last reading and all processes, and the steps per
        second."""
        values: dict[str, float] = {}
        for names, total in self._sums.items():
            mean = total / self._steps
            if self._accelerator.num_processes > 1:
                mean = self._accelerator.reduce(mean, "mean")
            for name, value in zip(names, mean.tolist(), strict=True):
                values[name] = values.get(name, 0.0) + value
        speed = self._timed_steps / (time.perf_counter() - self._since)
        self._sums, self._steps, self._timed_steps = {}, 0, 0
        self.restart_clock()
        return values, speed

    def restart_clock(self) -> None:
        """Excludes the time until now from the speed."""
        self._since = time.perf_counter()
