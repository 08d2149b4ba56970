"""Standard error as people see it while something goes on: lines, and a bar in a terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def say(text: str) -> None:
    """A line; where nobody reads on, the work goes on all the same."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


class OneLine:
    """A bar that stays on one line, with lines above it."""

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

    def draw(self, part: float, text: str) -> None:
        """``part`` of the work, 0 to 1, is done."""
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0)
        self._bar.update(self._task, completed=part, description=text)

    def close(self) -> None:
        self._bar.stop()


def duration(seconds: float) -> str:
    """``"1 h 05 min"``, ``"4 min 20 s"``, ``"9 s"``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
