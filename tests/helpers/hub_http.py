"""HTTP of the local Hub: bodies, answers, ranges, the log and injected faults."""

from __future__ import annotations

import io
import json
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub_repository import Refused
from hub_slow import FOREVER, play


@dataclass(frozen=True)
class Logged:
    """An answered request; ``status`` is 0 if the connection was closed instead."""

    method: str
    path: str
    query: str
    status: int
    agent: str
    token: bool
    host: str


@dataclass
class Fault:
    """A fault for the next ``times`` requests with this method whose path contains ``path``."""

    kind: str
    value: Any
    method: str
    path: str
    times: float


class Faults:
    """Injected faults in order; each ends after its ``times``."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.lock = threading.Lock()

    def take(self, kind: str, method: str, path: str) -> Any:
        """Value of the first matching fault of this kind, or None."""
        with self.lock:
            for fault in self.waiting:
                matches = fault.method in (method, "") and fault.path in unquote(path)
                if matches and fault.kind == kind and fault.times > 0:
                    fault.times -= 1
                    return fault.value
        return None


class Cut(Exception):
    """The connection is closed here."""


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer, which a subclass gives in ``respond``."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "loopback-hub", ""
    disable_nagle_algorithm = True  # headers and body are two writes
    faults: Faults
    log: list[Logged]

    def respond(self) -> None:
        raise NotImplementedError

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        self.where, self.query = parts.path, parse_qs(parts.query, keep_blank_values=True)
        try:
            self.body = self._read()
            if (action := self._fault("first")) is not None:
                action()
            if (status := self._fault("status")) is not None:
                raise Refused(status, "A test asked for this")
            self.respond()
        except Refused as refused:
            self.refuse(refused)
        except Cut:
            self._log(0)
            self.close_connection = True
            linger = struct.pack("ii", 1, 0)  # closing resets the connection
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except ConnectionError:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any

    def json(self) -> Any:
        """The parsed body; values of a form are lists."""
        try:
            if "form" in self.headers.get("Content-Type", ""):
                return parse_qs(self.body.decode())
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refused(400, f"The body is not JSON: {error}") from error

    def answer(
        self, value: Any = None, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Answers ``value`` as JSON."""
        content = json.dumps(value).encode()
        kind = {"Content-Type": "application/json; charset=utf-8"}
        self._send(status, kind | (headers or {}), content, len(content))

    def answer_file(self, content: bytes, headers: dict[str, str]) -> None:
        """Answers the content, or the requested range of it."""
        kind = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        status, part, ranges = self._range(content)
        after = None if self.command == "HEAD" else self._fault("cut")
        self._send(status, kind | headers | ranges, part[:after], len(part))
        if after is not None and after < len(part):
            self.close_connection = True

    def refuse(self, refused: Refused, **more: Any) -> None:
        headers = {"X-Error-Message": refused.sentence.encode("ascii", "replace").decode()}
        if refused.code is not None:
            headers["X-Error-Code"] = refused.code
        self.answer({"error": refused.sentence, **more}, refused.status, headers)

    def log_message(self, *_: Any) -> None:
        pass

    def _send(self, status: int, headers: dict[str, str], content: bytes, length: int) -> None:
        self._log(status)  # before the client can receive it
        if self._fault("lose"):
            self.close_connection = True
            return
        answer, client = self._fault("play"), self.wfile
        if answer is not None:
            self.wfile = io.BytesIO()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if answer is not None:
            head, self.wfile = self.wfile.getvalue(), client
            self.close_connection = True
            play(self.connection, answer(head, b"" if self.command == "HEAD" else content))
        elif self.command != "HEAD":
            self.wfile.write(content)

    def _fault(self, kind: str) -> Any:
        return self.faults.take(kind, self.command, self.where)

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        length = int(self.headers.get("Content-Length", 0))
        if self._fault("ignore"):
            time.sleep(FOREVER)
        if self.command in ("PUT", "POST") and (after := self._fault("cut")) is not None:
            self.rfile.read(min(length, after))
            raise Cut
        content = self.rfile.read(length)
        if len(content) < length:
            raise ConnectionError("the client closed the connection")
        return content

    def _range(self, content: bytes) -> tuple[int, bytes, dict[str, str]]:
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if match is None or match.groups() == ("", ""):
            return 200, content, {}
        size = len(content)
        first = int(match[1]) if match[1] else max(size - int(match[2]), 0)
        last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
        if first > last:
            return 416, b"", {"Content-Range": f"bytes */{size}"}
        span = {"Content-Range": f"bytes {first}-{last}/{size}"}
        return 206, content[first : last + 1], span

    def _log(self, status: int) -> None:
        where, _, query = self.path.partition("?")
        agent, token = self.headers.get("User-Agent", ""), "Authorization" in self.headers
        host = f"http://{self.headers.get('Host')}"
        self.log.append(Logged(self.command, where, query, status, agent, token, host))
