"""Progress of long work on standard error: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from zoo.errors import printable
from zoo.system.console import say


class Progress:
    """Silent: for Python callers, and for all processes but the first."""

    def say(self, text: str) -> None:
        """Prints a line."""

    def show(self, task: str, done: int, total: int) -> None:
        """``done`` of ``total`` units of ``task`` are finished."""

    def step(self, part: float, line: str, short: str, milestone: bool = False) -> None:
        """``part`` of a training run, 0 to 1, is finished: ``line`` says where it stands, ``short``
        is its beginning for a bar; a line at a milestone is always printed."""

    def close(self) -> None:
        """The work is finished."""


class Lines(Progress):
    """Prints a line for a task that takes over ``first`` seconds, then one every ``every``
    seconds."""

    def __init__(self, first: float = 1.0, every: float = 10.0) -> None:
        self.first, self.every = first, every
        self._task, self._next = "", 0.0

    def say(self, text: str) -> None:
        say(text)

    def show(self, task: str, done: int, total: int) -> None:
        now = time.monotonic()
        if task != self._task:
            self._task, self._next = task, now + self.first
        elif now >= self._next and done < total:
            self._next = now + self.every
            self.say(f"{task}: {done:,} of {total:,}")

    def step(self, part: float, line: str, short: str, milestone: bool = False) -> None:
        if milestone or time.monotonic() >= self._next:
            self._next = time.monotonic() + self.every
            self.say(line)


class Bar(Progress):
    """A progress bar on one line, with lines above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None

    def say(self, text: str) -> None:
        from rich.text import Text

        self._bar.console.print(Text(printable(text)), soft_wrap=True)

    def show(self, task: str, done: int, total: int) -> None:
        self._draw(done / total, task)

    def step(self, part: float, line: str, short: str, milestone: bool = False) -> None:
        if milestone:
            self.say(line)
        self._draw(part, short)

    def close(self) -> None:
        self._bar.stop()

    def _draw(self, part: float, text: str) -> None:
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0)
        self._bar.update(self._task, completed=part, description=printable(text))


def progress() -> Progress:
    """Returns a bar if standard error is a terminal, else lines."""
    return Bar() if sys.stderr.isatty() else Lines()
