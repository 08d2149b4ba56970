"""Limits of a run and its progress toward them."""

from __future__ import annotations

import math

from zoo.config.sections import TrainingConfig
from zoo.errors import UsageError


class Limits:
    """The end of a run: a number of steps, epochs or minutes, whichever comes first.

    ``images`` is the size of the training split, ``batches_per_step`` that of the objective. Raises
    UsageError if the configuration sets no limit.
    """

    def __init__(self, training: TrainingConfig, images: int, batches_per_step: int = 1) -> None:
        steps = [] if training.steps is None else [training.steps]
        if training.epochs is not None:
            per_step = training.batch_size * batches_per_step
            steps.append(math.ceil(training.epochs * images / per_step))
        if not steps and training.minutes is None:
            raise UsageError("training has no limit: set --steps, --epochs or --minutes")
        self.steps = min(steps, default=None)
        self.seconds = None if training.minutes is None else training.minutes * 60

    def progress(self, step: int, seconds: float) -> float:
        """Returns the completed fraction of the run after ``step`` steps and ``seconds``."""
        fractions = [step / self.steps] if self.steps else []
        fractions += [seconds / self.seconds] if self.seconds else []
        return min(1.0, max(fractions))

    def seconds_left(self, step: int, seconds: float, steps_per_second: float) -> float:
        """Returns the estimated remaining time in seconds."""
        left = [(self.steps - step) / steps_per_second] if self.steps and steps_per_second else []
        left += [self.seconds - seconds] if self.seconds else []
        return max(0.0, min(left, default=0.0))

    def __str__(self) -> str:
        parts = [f"{self.steps} steps"] if self.steps else []
        parts += [f"{self.seconds / 60:g} minutes"] if self.seconds else []
        return " or ".join(parts)
