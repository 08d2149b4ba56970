"""How far a command has come, on standard error: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from zoo.evaluation.progress import Progress


class Lines(Progress):
    """A line for what takes over ``first`` seconds, then one every ``every`` seconds."""

    def __init__(self, first: float = 1.0, every: float = 10.0) -> None:
        self.first, self.every = first, every
        self._what, self._next = "", 0.0

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads on: the work goes on all the same
            print(text, file=sys.stderr, flush=True)

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
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._bar = Progress(
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None

    def say(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, what: str, done: int, total: int) -> None:
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0)
        self._bar.update(self._task, completed=done / total, description=what)

    def close(self) -> None:
        self._bar.stop()


def progress() -> Progress:
    """A bar where standard error is a terminal, lines elsewhere."""
    return Bar() if sys.stderr.isatty() else Lines()
