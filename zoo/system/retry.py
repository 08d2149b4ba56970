"""Writes that are tried again while storage fails for a moment.

A disk fills up until someone frees space, a network file system loses its server: training waits
for them, where other commands fail at once.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from zoo.errors import ZooError

SECONDS = 60.0
"""Default time for which training tries to write a file again."""

TRANSIENT = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EIO", "ESTALE", "EROFS", "EAGAIN", "EBUSY", "ETIMEDOUT"),
        *("ENOTCONN", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
        *("ENOLINK", "EREMOTEIO"),
    )
    if hasattr(errno, name)
)
"""Errors after which the same write can succeed."""

INTERVAL = 1.0
"""Seconds between two attempts."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Patience:
    seconds: float
    say: Callable[[str], None]


_patience: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextmanager
def patient(seconds: float, say: Callable[[str], None]) -> Iterator[None]:
    """Inside, :func:`retried` tries a write again for ``seconds``, and says so."""
    token = _patience.set(_Patience(seconds, say))
    try:
        yield
    finally:
        _patience.reset(token)


def retried(write: Callable[[], T]) -> T:
    """Returns ``write()``, called again after a transient error inside :func:`patient`.

    ``write`` raises ZooError from an OSError, and starts anew at each call; the last error is
    raised once the time is over.
    """
    patience = _patience.get()
    first: float | None = None
    while True:
        try:
            result = write()
        except ZooError as error:
            cause = error.__cause__
            transient = isinstance(cause, OSError) and cause.errno in TRANSIENT
            if patience is None or not transient:
                raise
            now = time.monotonic()
            if first is None:
                first = now
                if patience.seconds > 0:
                    patience.say(f"{error} (trying again for {patience.seconds:g} s)")
            left = first + patience.seconds - now
            if left <= 0:
                raise
            time.sleep(min(INTERVAL, left))
        else:
            if first is not None and patience is not None:
                patience.say(f"written after {time.monotonic() - first:.0f} s")
            return result
