"""A local Hugging Face Hub that serves the real protocol over HTTP to real clients.

A test with the fixture ``hub`` fills it, starts a client and inspects the result:

    hub.create("tester/glow", files={"config.json": b"{}"})
    process("push", run, "tester/glow", **hub.environment(tmp_path / "home", hub.tokens.write))
    assert hub.files("tester/glow").keys() >= {"model.safetensors"} and hub.requests("PUT")

Also ``hub.commits`` and ``hub.log``; ``hub.cut``, ``fail``, ``lose``, ``play``, ``ignore`` and
``first`` inject faults.

Requests are in ``hub_requests``, ``hub_listings`` and ``hub_files``, repositories in
``hub_repository``, validation of cards in ``hub_metadata``, Xet in ``hub_xet``.

It serves the protocol as huggingface_hub and npm's @huggingface/hub use it, and a few more rules of
the real Hub.
"""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path

import hub_files  # noqa: F401  (routes)
import hub_listings  # noqa: F401  (routes)
from hub_http import Fault, Faults, Logged
from hub_repository import Commit, Repository
from hub_requests import Request
from hub_slow import Answer
from hub_xet import XetStore


@dataclass(frozen=True)
class Tokens:
    """Tokens of the user ``tester``, a member of the organization ``team``."""

    write: str
    read: str


class LoopbackHub:
    """Repositories by kind (model, dataset, space) and name; see the module.

    ``url`` is the address of the Hub and ``storage`` that of large objects: another host and port,
    as on the real Hub, that must not receive a token.
    """

    user = "tester"
    organization = "team"

    def __init__(self) -> None:
        self.tokens = Tokens(f"hf_{secrets.token_hex(17)}", f"hf_{secrets.token_hex(17)}")
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.log: list[Logged] = []
        self.faults = Faults()
        self.xet: XetStore | None = None
        self.lock = threading.RLock()
        self.started = datetime.now(UTC)
        self._secret = secrets.token_hex()
        attributes = {"hub": self, "log": self.log, "faults": self.faults}
        handler = type("Handler", (Request,), attributes)
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
        ports = [server.server_port for server in self.servers]
        self.url, self.storage = f"http://127.0.0.1:{ports[0]}", f"http://localhost:{ports[1]}"

    def create(
        self,
        name: str,
        kind: str = "model",
        files: Mapping[str, bytes] | None = None,
        private: bool = False,
        gated: bool = False,
        sdk: str | None = None,
    ) -> Repository:
        """Creates a repository with the Hub's first commit, and a second one of ``files``.

        A private one is visible only to its owner, ``tester`` or ``team``; the files of a gated one
        are readable only by its owner.
        """
        sdk = "static" if kind == "space" and sdk is None else sdk
        repository = self.repositories[kind, name] = Repository(name, kind, private, sdk)
        repository.gated = gated
        if files:
            repository.write(files)
        return repository

    def repository(self, name: str, kind: str = "model") -> Repository:
        """A repository; its ``write({"config.json": b"{}"})`` is a commit by somebody else."""
        return self.repositories[kind, name]

    def files(self, name: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        """Content of every file by path, as a client downloads it."""
        blobs = self.repositories[kind, name].at(revision).files
        return {path: blob.content for path, blob in blobs.items()}

    def commits(self, name: str, revision: str = "main", kind: str = "model") -> list[Commit]:
        """Commits, newest first; the last is the Hub's own of a new repository."""
        return self.repositories[kind, name].commits(revision)

    def requests(self, method: str = "", path: str = "") -> list[Logged]:
        """Logged requests with this method whose path contains ``path``."""
        return [
            request
            for request in self.log
            if request.method.startswith(method) and path in request.path
        ]

    def cut(self, method: str, after: int, path: str = "", times: float = 1) -> None:
        """Closes the connection ``after`` this many bytes of a body, uploaded or downloaded.

        ``times`` may be ``math.inf``. A shorter body arrives complete.
        """
        self.faults.waiting.append(Fault("cut", after, method, path, times))

    def fail(self, status: int, path: str = "", method: str = "", times: float = 1) -> None:
        """Answers ``status`` to requests whose path contains ``path``."""
        self.faults.waiting.append(Fault("status", status, method, path, times))

    def lose(self, path: str, method: str = "", times: float = 1) -> None:
        """Performs and logs the request, then closes the connection without an answer."""
        self.faults.waiting.append(Fault("lose", True, method, path, times))

    def play(self, answer: Answer, path: str = "", method: str = "") -> None:
        """Answers all such requests as ``hub_slow`` says."""
        self.faults.waiting.append(Fault("play", answer, method, path, math.inf))

    def ignore(self, path: str, method: str = "") -> None:
        """Reads no body of such requests."""
        self.faults.waiting.append(Fault("ignore", True, method, path, math.inf))

    def first(self, action: Callable[[], object], path: str, method: str = "") -> None:
        """Calls ``action`` before the next such request is answered, as a concurrent client."""
        self.faults.waiting.append(Fault("first", action, method, path, 1))

    def use_xet(self, folder: Path) -> XetStore:
        """Accepts large objects through Xet as well, stored in ``folder``; see ``hub_xet``."""
        self.xet = XetStore(folder)
        return self.xet

    def take_from_xet(self, repository: Repository, oid: str, size: int) -> None:
        """Stores an object that was uploaded through Xet as if it had come by LFS."""
        name = None if self.xet is None else self.xet.hashes().get(oid)
        if self.xet is not None and name is not None and oid not in repository.objects:
            content = self.xet.read(name, size)
            assert hashlib.sha256(content).hexdigest() == oid
            repository.objects[oid], repository.xet[oid] = content, name

    def signature(self, oid: str) -> str:
        """Signature of an address that transfers one large object without a token."""
        return hashlib.sha256(f"{self._secret}{oid}".encode()).hexdigest()[:32]

    def environment(
        self, home: Path, token: str | None = None, offline: bool = False, hurry: bool = False
    ) -> dict[str, str]:
        """Environment of a process in which huggingface_hub uses this Hub alone.

        Its cache and tokens are below ``home``. ``hurry`` shortens ``time.sleep`` in a Python
        process, as the client's retries of an upload take half a minute.
        """
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        own = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_ASSETS_CACHE": str(home / "assets"),
            "HF_XET_CACHE": str(home / "xet"),
            "HF_TOKEN": token or "",
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_HUB_OFFLINE": "1" if offline else "0",
            "HF_HUB_DISABLE_XET": "1" if self.xet is None else "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HUGGING_FACE_HUB_TOKEN": "",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        if hurry:
            own["PYTHONPATH"] = os.pathsep.join(
                filter(None, [str(_hurried(home / "hurry")), os.environ.get("PYTHONPATH")])
            )
        return kept | own


def _hurried(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    code = "import time\n_sleep = time.sleep\ntime.sleep = lambda s: _sleep(min(s, 0.01))\n"
    (folder / "sitecustomize.py").write_text(code, "utf-8")
    return folder


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A Hub that serves until the block ends."""
    hub = LoopbackHub()
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.05,)) for server in hub.servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(hub.servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
