"""How far a command has come, on standard error: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from zoo.evaluation.progress import Progress
from zoo.system.console import OneLine, say


class Lines(Progress):
    """A line for what takes over ``first`` seconds, then one every ``every`` seconds."""

    def __init__(self, first: float = 1.0, every: float = 10.0) -> None:
        self.first, self.every = first, every
        self._what, self._next = "", 0.0

    def say(self, text: str) -> None:
        say(text)

    def show(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._next = what, now + self.first
        elif now >= self._next and done < total:
            self._next = now + self.every
            self.say(f"{what}: {done:,} of {total:,}")


class Bar(Progress):
    """A progress bar that stays on one line."""

    def __init__(self) -> None:
        self._line = OneLine()

    def say(self, text: str) -> None:
        self._line.say(text)

    def show(self, what: str, done: int, total: int) -> None:
        self._line.draw(done / total, what)

    def close(self) -> None:
        self._line.close()


def progress() -> Progress:
    """A bar where standard error is a terminal, lines elsewhere."""
    return Bar() if sys.stderr.isatty() else Lines()
