"""Network connections that are ended once they transfer too little.

httpcore, below the client of huggingface_hub, has time limits for a single read alone, which a byte
a second never exceeds.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

RATE = 1000
"""Minimum bytes per second."""

RATE_TEXT = f"less than {RATE // 1000} kB/s"

_CHUNK = 2**14


class TooSlow(Exception):
    """A connection transferred less than :data:`RATE` for as long as it may.

    It is neither an error of httpx nor an OSError, so that no library tries again.
    """


class Meter:
    """Time spent waiting for bytes and bytes transferred, since the rate was last sufficient."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.reset()

    def reset(self) -> None:
        self.waited, self.moved = 0.0, 0

    def add(self, seconds: float, size: int) -> None:
        """Counts a transfer. Raises TooSlow."""
        self.waited += seconds
        self.moved += size
        if self.moved >= RATE * self.waited:
            self.reset()
        elif self.waited >= self.seconds:
            self.reset()
            raise TooSlow

    @property
    def left(self) -> float:
        """Seconds until the connection is too slow if nothing is transferred, above 0."""
        return max(self.seconds - self.waited, 1e-3)


class Watch(threading.local):
    """A meter a thread: one that tries again after an error has not waited less for it."""

    def __init__(self, seconds: float) -> None:
        self.meter = Meter(seconds)


_watches: list[Watch] = []


def _current() -> Meter | None:
    try:
        return _watches[-1].meter
    except IndexError:
        return None


def allowed() -> float | None:
    """Seconds that a connection may be too slow, None outside of :func:`watching`."""
    meter = _current()
    return None if meter is None else meter.seconds


@contextmanager
def watching(seconds: float) -> Iterator[None]:
    """Inside, a connection below :data:`RATE` for ``seconds`` raises TooSlow, in all threads."""
    watch = Watch(seconds)
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.remove(watch)


class WatchedBackend:
    """A network backend of httpcore whose connections are watched."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> WatchedStream:
        """Opens a connection that sends only as the other end accepts: bytes waiting in the system
        for a slow one would count as sent."""
        options = [*(socket_options or ())]
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            options.append((socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _CHUNK))
        stream = _timed(
            lambda limit: self._inner.connect_tcp(host, port, limit, local_address, options),
            timeout,
            f"{host}:{port} did not answer",
        )
        return WatchedStream(stream, f"{host}:{port}")


class WatchedStream:
    """A connection of httpcore to ``host``."""

    def __init__(self, inner: Any, host: str) -> None:
        self._inner = inner
        self._host = host
        self._answered = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._answered = True
        data: bytes = _timed(
            lambda limit: self._inner.read(max_bytes, limit),
            timeout,
            f"{self._host} sent {RATE_TEXT}",
        )
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        meter = _current()
        if self._answered and meter is not None:
            # The next request: the answer to the one before is complete.
            meter.reset()
        self._answered = False
        for start in range(0, len(buffer), _CHUNK):
            chunk = buffer[start : start + _CHUNK]
            _timed(
                partial(self._inner.write, chunk),
                timeout,
                f"{self._host} took {RATE_TEXT}",
                sent=len(chunk),
            )

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> WatchedStream:
        stream = _timed(
            lambda limit: self._inner.start_tls(ssl_context, server_hostname, limit),
            timeout,
            f"{self._host} did not answer",
        )
        return WatchedStream(stream, self._host)


def _timed(
    transfer: Callable[[float | None], Any], timeout: float | None, problem: str, sent: int = 0
) -> Any:
    """Returns ``transfer(limit)``, where ``limit`` is at most ``timeout``. Raises TooSlow."""
    meter = _current()
    if meter is None:
        return transfer(timeout)
    limit = min(math.inf if timeout is None else timeout, meter.left)
    start = time.monotonic()
    try:
        try:
            result = transfer(limit)
        except Exception:
            waited = time.monotonic() - start
            # The end of the limit, which a clock may see a little earlier.
            meter.add(limit if 0.99 * limit < waited < limit else waited, 0)
            raise
        size = len(result) if isinstance(result, bytes) else sent
        meter.add(time.monotonic() - start, size)
    except TooSlow:
        raise TooSlow(f"{problem} for {meter.seconds:g} s") from None
    return result
