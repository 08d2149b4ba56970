"""Lines on the terminal, and durations as text.

All text that genzoo prints is printed here: names of runs, classes, files and repositories, and
errors that quote them, may come from a stranger.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import TextIO

from zoo.errors import printable


def echo(*lines: object) -> None:
    """Prints lines on standard output, each :func:`~zoo.errors.printable`."""
    _print(lines, sys.stdout)


def say(*lines: object) -> None:
    """Prints lines on standard error as :func:`echo` does; a closed one is ignored."""
    with contextlib.suppress(OSError):
        _print(lines, sys.stderr)


def _print(lines: tuple[object, ...], file: TextIO | None) -> None:
    if file is None or not lines:
        return
    encoding = getattr(file, "encoding", None) or "utf-8"
    text = "\n".join(printable(str(line)) for line in lines)
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=file, flush=True)


def terminal_width() -> int | None:
    """Returns the columns of the terminal that standard output is, None if it is none."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def wrapped(text: str, columns: int) -> list[str]:
    """Returns ``text`` in lines of at most ``columns``, broken between words."""
    return textwrap.wrap(printable(text), columns, break_on_hyphens=False)


def say_loading(subject: str, say: Callable[[str], None] = say) -> None:
    """Says that torch is imported for ``subject``, which takes seconds, unless it is already."""
    if "torch" not in sys.modules:
        say(f"{subject}: loading torch")


def duration(seconds: float) -> str:
    """``"1 h 05 min"``, ``"4 min 20 s"``, ``"9 s"``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
