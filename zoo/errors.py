"""Errors that a user can fix. A message is one sentence: the problem, the value, the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator


class ZooError(Exception):
    """An operation failed; the message is one sentence for the user. Exit status 1."""

    exit_code = 1


class UsageError(ZooError):
    """A wrong call: an unknown name, option, key or value. Exit status 2."""

    exit_code = 2


class Interrupted(ZooError):
    """A signal stopped a run after its checkpoint was written. Exit status 130 or 143."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def nearest(name: str, choices: Iterable[str]) -> str:
    """Returns ``": did you mean 'x'?"`` for the nearest of ``choices``, else a list of them."""
    choices = sorted(choices)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f": did you mean {close[0]!r}?"
    return f"; there is {', '.join(choices)}" if choices else "; there is none"


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, at most 200 characters, or the name of its type
    if the message is empty."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


def printable(text: str) -> str:
    """Returns ``text`` on one line, without power over a terminal.

    Control characters, line ends, marks that turn the direction of writing, and whatever else has
    no glyph are escaped as in Python: ``\\x1b``, ``\\n``, ``\\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields ``error``, the error that it was raised from or during, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
