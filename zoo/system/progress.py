"""What a run says while it goes: a bar in a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from zoo.system.console import OneLine, duration, say


@dataclass(frozen=True)
class State:
    """Where a run stands: shown, never stored; ``checkpoint``: it was saved just now."""

    step: int
    progress: float
    metrics: Mapping[str, float]
    images_per_second: float
    seconds_left: float
    checkpoint: bool = False

    def __str__(self) -> str:
        shown = [f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.metrics.items()]
        return "  ".join(
            [
                f"step {self.step}",
                *shown[:3],
                f"{self.images_per_second:.0f} images/s",
                f"{duration(self.seconds_left)} left",
            ]
        )


class Reporter:
    """Says nothing: for Python callers who want silence, and for all processes but the first."""

    def say(self, text: str) -> None:
        """A line for the user."""

    def reading(self, done: int, total: int) -> None:
        """So many of the data's pictures are decoded."""

    def show(self, state: State) -> None:
        """Where the run stands now."""

    def close(self) -> None:
        """The run is over."""


class Lines(Reporter):
    """Plain lines, at checkpoints and else one every ``every`` seconds at most."""

    def __init__(self, every: float = 10.0) -> None:
        self.every = every
        self._next = 0.0

    def say(self, text: str) -> None:
        say(text)

    def show(self, state: State) -> None:
        if time.monotonic() >= self._next or state.checkpoint:
            self._next = time.monotonic() + self.every
            self.say(str(state))


class Bar(Reporter):
    """A progress bar that stays on one line, and a line above it at each checkpoint."""

    def __init__(self) -> None:
        self._line = OneLine()

    def say(self, text: str) -> None:
        self._line.say(text)

    def reading(self, done: int, total: int) -> None:
        self._line.draw(done / total, f"reading {total:,} pictures")

    def show(self, state: State) -> None:
        if state.checkpoint:
            self.say(str(state))
        watched = dict([*state.metrics.items()][:1])
        self._line.draw(state.progress, str(replace(state, metrics=watched)))

    def close(self) -> None:
        self._line.close()


def reporter() -> Reporter:
    """A bar where standard error is a terminal, lines elsewhere."""
    return Bar() if sys.stderr.isatty() else Lines()
