"""The status line of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from zoo.system.console import duration


@dataclass(frozen=True)
class Status:
    """Progress of a run; ``str`` shows up to three metrics."""

    step: int
    metrics: Mapping[str, float]
    images_per_second: float
    seconds_left: float

    def __str__(self) -> str:
        metrics = [f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.metrics.items()]
        return "  ".join(
            [
                f"step {self.step}",
                *metrics[:3],
                f"{self.images_per_second:.0f} images/s",
                f"{duration(self.seconds_left)} left",
            ]
        )

    @property
    def short(self) -> str:
        """The status with only the first metric."""
        return str(replace(self, metrics=dict([*self.metrics.items()][:1])))
