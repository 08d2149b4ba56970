"""One training at a time in a process: accelerate's state and the environment belong to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.errors import UsageError
from zoo.system.progress import Progress

_TRAINING = threading.Lock()
_inside = threading.local()


@contextmanager
def only_training(progress: Progress) -> Iterator[None]:
    """Waits until no other thread trains.

    Raises UsageError inside a training of the same thread, for example in a hook.
    """
    if getattr(_inside, "trains", False):
        raise UsageError("a training cannot start inside another: start it when that has ended")
    if not _TRAINING.acquire(blocking=False):
        progress.say("waiting for another training in this process")
        _TRAINING.acquire()
    _inside.trains = True
    try:
        yield
    finally:
        _inside.trains = False
        _TRAINING.release()
