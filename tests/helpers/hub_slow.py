"""Answers of a Hub that is silent, slow or endless, for ``LoopbackHub.play``.

Each is given the head and the body of the proper answer, and yields bytes to send and seconds to
wait; the connection is then closed.
"""

from __future__ import annotations

import gzip
import re
import select
from collections.abc import Callable, Iterator
from typing import Any

Answer = Callable[[bytes, bytes], Iterator[bytes | float]]

FOREVER = 3600.0


def silent(head: bytes, body: bytes) -> Iterator[bytes | float]:
    yield FOREVER


def silent_after_head(head: bytes, body: bytes) -> Iterator[bytes | float]:
    yield head
    yield FOREVER


def silent_within_body(head: bytes, body: bytes) -> Iterator[bytes | float]:
    yield head + body[: len(body) // 2]
    yield FOREVER


def drip_head(head: bytes, body: bytes) -> Iterator[bytes | float]:
    """Ten bytes a second."""
    for byte in head + body:
        yield bytes([byte])
        yield 0.1


def drip_body(head: bytes, body: bytes) -> Iterator[bytes | float]:
    yield head
    yield from drip_head(body, b"")


def endless_head(head: bytes, body: bytes) -> Iterator[bytes | float]:
    yield head.rstrip() + b"\r\n"
    while True:
        yield b"X-More: 1\r\n" * 1000


def endless_body(head: bytes, body: bytes) -> Iterator[bytes | float]:
    """A body in chunks, which states no length."""
    yield re.sub(rb"(?i)content-length: \d+", b"Transfer-Encoding: chunked", head)
    while True:
        yield b"10000\r\n%s\r\n" % bytes(0x10000)


def larger_body(head: bytes, body: bytes) -> Iterator[bytes | float]:
    """A terabyte."""
    yield re.sub(rb"(?i)(content-length): \d+", rb"\1: 1000000000000", head)
    while True:
        yield bytes(0x10000)


def unpacking_body(head: bytes, body: bytes) -> Iterator[bytes | float]:
    """A hundred megabytes of zeros in gzip."""
    packed = gzip.compress(bytes(10**8), 1)
    encoded = b"Content-Encoding: gzip\r\nContent-Length: %d" % len(packed)
    yield re.sub(rb"(?i)content-length: \d+", encoded, head) + packed


def closed(head: bytes, body: bytes) -> Iterator[bytes | float]:
    yield from ()


def not_json(head: bytes, body: bytes) -> Iterator[bytes | float]:
    yield from status(200, "Content-Type: application/json", body="<garbage>")(head, body)


def status(number: int, *headers: str, body: str = "") -> Answer:
    """An answer with this status, ``headers`` and ``body``."""

    def answer(_head: bytes, _body: bytes) -> Iterator[bytes | float]:
        lines = [f"HTTP/1.1 {number} X", "Connection: close", f"Content-Length: {len(body)}"]
        yield "\r\n".join([*lines, *headers, "", body]).encode()

    return answer


def redirect(to: str) -> Answer:
    return status(302, f"Location: {to}")


def play(connection: Any, answer: Iterator[bytes | float]) -> None:
    """Sends ``answer`` until it ends or the client closes the connection."""
    for part in answer:
        if isinstance(part, bytes):
            connection.sendall(part)
        elif select.select([connection], [], [], part)[0]:
            return
