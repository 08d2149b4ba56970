"""The errors that a user can mend: each is one sentence that says what, which value, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """Something failed; the message is one sentence for the user. Exit status 1."""

    exit_code = 1


class UsageError(ZooError):
    """The call was wrong: an unknown name, option, key or value. Exit status 2."""

    exit_code = 2


class Interrupted(ZooError):
    """A run was stopped from outside; a checkpoint stands. Exit status 130 or 143."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def nearest(name: str, choices: Iterable[str]) -> str:
    """``": did you mean 'x'?"`` for the nearest of ``choices``, else a list of them."""
    choices = sorted(choices)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f": did you mean {close[0]!r}?"
    return f"; there is {', '.join(choices)}" if choices else "; there is none"
