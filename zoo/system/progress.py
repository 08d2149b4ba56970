"""Progress of long work on standard error: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from zoo.errors import printable
from zoo.system.console import say


class Progress:
    """Silent: for Python callers, and for all processes but the first."""

    def say(self, text: str) -> None:
        """Prints a line."""

    def show(self, task: str, done: int, total: int) -> None:
        """``done`` of ``total`` units of ``task`` are finished."""

    def step(self, part: float, forms: Sequence[str], milestone: bool = False) -> None:
        """``part`` of a training run, 0 to 1, is finished: the first of ``forms`` says where it
        stands, the others in fewer words; a line at a milestone is always printed."""

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

    def step(self, part: float, forms: Sequence[str], milestone: bool = False) -> None:
        if milestone or time.monotonic() >= self._next:
            self._next = time.monotonic() + self.every
            self.say(forms[0])


class Bar(Progress):
    """A progress bar on one line, with lines above it; the text beside it is cut to the room that
    bar and percentage leave."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, ProgressColumn, Task, TaskProgressColumn
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class Fitting(ProgressColumn):
            """The first of the task's forms that fits into the terminal, however it is resized."""

            def render(self, task: Task) -> Text:
                room = max(console.width - _BAR - len(" 100% "), 0)
                texts = [Text(printable(form), no_wrap=True) for form in task.fields["forms"]]
                text = next((text for text in texts if text.cell_len <= room), texts[-1])
                text.truncate(room, overflow="ellipsis")
                return text

        console = Console(stderr=True)
        columns = BarColumn(bar_width=_BAR), TaskProgressColumn(), Fitting()
        self._bar = RichProgress(*columns, console=console, transient=True)
        self._task: Any = None

    def say(self, text: str) -> None:
        from rich.text import Text

        console, text = self._bar.console, printable(text)
        if len(text) > console.width:  # wrapped between words, and a path stays whole
            text = textwrap.fill(
                text, console.width, break_long_words=False, break_on_hyphens=False
            )
        console.print(Text(text), soft_wrap=True)

    def show(self, task: str, done: int, total: int) -> None:
        self._draw(done / total, [task])

    def step(self, part: float, forms: Sequence[str], milestone: bool = False) -> None:
        if milestone:
            self.say(forms[0])
        self._draw(part, forms)

    def close(self) -> None:
        self._bar.stop()

    def _draw(self, part: float, forms: Sequence[str]) -> None:
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0, forms=forms)
        self._bar.update(self._task, completed=part, forms=forms)


_BAR = 10
"""Cells of the bar."""


def progress() -> Progress:
    """Returns a bar if standard error is a terminal, else lines."""
    return Bar() if sys.stderr.isatty() else Lines()


@contextmanager
def printable_bars() -> Iterator[None]:
    """Inside, progress bars of other libraries, by tqdm, are :func:`~zoo.errors.printable`: they
    name files and splits of strangers."""
    from tqdm.std import tqdm  # type: ignore[import-untyped]

    format_meter = tqdm.format_meter
    tqdm.format_meter = staticmethod(
        lambda *args, **kwargs: printable(format_meter(*args, **kwargs))
    )
    try:
        yield
    finally:
        tqdm.format_meter = staticmethod(format_meter)
