"""The page on this machine alone: a small web server on loopback, with the headers for threads."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click

from zoo.errors import ZooError
from zoo_web.folder import HEADERS

HOST = "127.0.0.1"


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, never from a cache, with the types that browsers want of modules."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("cache-control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a line for each request would bury the address."""


def serve(folder: Path, port: int = 0) -> None:
    """Serve ``folder`` on loopback, on a free port where ``port`` is 0, print the address and open
    the browser, until Ctrl-C or SIGTERM ends it.

    Raises ZooError where the port is taken or may not be had.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), partial(Handler, directory=str(folder)))
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise ZooError(f"port {port} {why}; name another with --port, or none") from error
    address = f"http://{HOST}:{server.server_address[1]}/"
    with server, _terminable():
        click.echo(address)
        sys.stdout.flush()
        click.echo("Ctrl-C ends it", err=True)
        if _has_screen():
            webbrowser.open(address)
        server.serve_forever()


def _has_screen() -> bool:
    """Whether a browser would be a window: one in the terminal would take it over."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends what is inside as Ctrl-C does, with status 143."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
