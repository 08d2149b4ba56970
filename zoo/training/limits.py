"""When a run ends, and how far it is on the way."""

from __future__ import annotations

import math

from zoo.config.sections import TrainingConfig
from zoo.errors import UsageError


class Limits:
    """The end of a run: so many steps, epochs or minutes, whichever comes first.

    ``pictures`` are those of the training split, ``batches_per_step`` the objective's. Raises
    UsageError where the configuration sets no limit at all.
    """

    def __init__(self, training: TrainingConfig, pictures: int, batches_per_step: int = 1) -> None:
        steps = [] if training.steps is None else [training.steps]
        if training.epochs is not None:
            per_step = training.batch_size * batches_per_step
            steps.append(math.ceil(training.epochs * pictures / per_step))
        if not steps and training.minutes is None:
            raise UsageError("nothing says when to stop: give --steps, --epochs or --minutes")
        self.steps = min(steps, default=None)
        self.seconds = None if training.minutes is None else training.minutes * 60

    def progress(self, step: int, seconds: float) -> float:
        """The part of the run that is done after ``step`` steps and ``seconds``, 0 to 1."""
        parts = [step / self.steps] if self.steps else []
        parts += [seconds / self.seconds] if self.seconds else []
        return min(1.0, max(parts))

    def seconds_left(self, step: int, seconds: float, steps_per_second: float) -> float:
        """How long the rest will take at this speed."""
        left = [(self.steps - step) / steps_per_second] if self.steps and steps_per_second else []
        left += [self.seconds - seconds] if self.seconds else []
        return max(0.0, min(left, default=0.0))

    def __str__(self) -> str:
        parts = [f"{self.steps} steps"] if self.steps else []
        parts += [f"{self.seconds / 60:g} minutes"] if self.seconds else []
        return " or ".join(parts)
