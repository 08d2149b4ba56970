"""Lines on standard error, and durations as text."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable


def say(text: str) -> None:
    """Prints a line on standard error; a closed one is ignored."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


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
