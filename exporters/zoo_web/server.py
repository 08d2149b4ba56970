"""A web server for the page on loopback, with the headers that allow threads."""

from __future__ import annotations

import errno
import os
import re
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

from zoo.errors import ZooError
from zoo.system.console import echo, say
from zoo_web.folder import HEADERS

HOST = "127.0.0.1"


NAMES = (HOST, "localhost", "[::1]")
"""Names of this machine. A page elsewhere whose name leads here has another: it is refused, since
it could read what is served (DNS rebinding)."""


class Handler(SimpleHTTPRequestHandler):
    """Serves the files of a folder to this machine, without caching and without lists of files,
    with the media types that modules need."""

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

    def send_head(self) -> Any:
        name = re.sub(r":\d*$", "", self.headers.get("host", "").lower())
        if name not in NAMES:
            self.send_error(403, "served to this machine alone")
            return None
        try:
            return super().send_head()
        except ValueError:  # a path that cannot exist, such as one with a zero byte
            self.send_error(404)
            return None

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: a line per request would bury the address."""


def serve(folder: Path, port: int = 0) -> None:
    """Serves ``folder`` on loopback until Ctrl-C or SIGTERM; port 0 is a free one.

    Prints the address and opens the browser. Raises ZooError if the port is not available.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), partial(Handler, directory=str(folder)))
    except OSError as error:
        reason = "in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise ZooError(
            f"port {port} is not available ({reason}): choose another --port, or none"
        ) from error
    address = f"http://{HOST}:{server.server_address[1]}/"
    with server, _terminable():
        echo(address)
        say("Press Ctrl-C to stop")
        if _has_screen():
            webbrowser.open(address)
        server.serve_forever()


def _has_screen() -> bool:
    """Whether a browser would open a window: one in the terminal would take it over."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


@contextmanager
def _terminable() -> Iterator[None]:
    """Ends the block on SIGTERM as Ctrl-C does, with status 143."""
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
