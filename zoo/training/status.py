"""The status line of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.system.console import duration


@dataclass(frozen=True)
class Status:
    """Progress of a run."""

    step: int
    metrics: Mapping[str, float]
    images_per_second: float
    seconds_left: float

    def forms(self) -> list[str]:
        """Returns the status with three metrics and in ever shorter forms: metrics are left out
        first, then the speed and the time."""
        metrics = [f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.metrics.items()]
        step, left = f"step {self.step}", f"{duration(self.seconds_left)} left"
        full = [step, *metrics[:3], f"{self.images_per_second:.0f} images/s", left]
        shorter = [[step, *full[1:kept], *full[-2:]] for kept in range(len(full) - 2, 0, -1)]
        return ["  ".join(parts) for parts in (*shorter, [step, left], [step])]
