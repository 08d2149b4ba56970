"""A Hugging Face Hub on loopback: the real protocol over real HTTP, for real clients.

A test that takes the fixture ``hub`` fills it, starts a client, and sees what came of it:

    hub.create("tester/glow", files={"config.json": b"{}"})
    process("push", run, "tester/glow", **hub.environment(tmp_path / "home", hub.tokens.write))
    assert hub.files("tester/glow").keys() >= {"model.safetensors"} and hub.requests("PUT")

Also ``hub.commits``, ``hub.log``; for what goes wrong ``hub.cut``, ``fail``, ``lose``, ``first``.
The requests are in ``hub_requests``, ``hub_listings`` and ``hub_files``, what a repository is in
``hub_repository``, what is wrong with a card in ``hub_metadata``, Xet in ``hub_xet``.

Clients that agree with it agree with the protocol as huggingface_hub and npm's @huggingface/hub
speak it; of rules that the real Hub keeps beyond that, it knows a few.
"""

from __future__ import annotations

import hashlib
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
from hub_xet import XetStore


@dataclass(frozen=True)
class Tokens:
    """Both are of the user ``tester``, who is in the organization ``team``."""

    write: str
    read: str


class LoopbackHub:
    """Repositories by kind (model, dataset, space) and name; see the module.

    ``url`` is the Hub's address and ``storage`` that of the host that keeps large objects: another
    name and port, as on the real Hub, where no token may be sent to.
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
        known = {"hub": self, "log": self.log, "faults": self.faults}
        answers = type("Answers", (Request,), known)
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), answers) for _ in range(2)]
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
        """A new repository, with the Hub's first commit, and one of ``files`` under any names.

        Private ones are hidden from all but their owner, ``tester`` or ``team``; the files of gated
        ones are withheld from them.
        """
        sdk = "static" if kind == "space" and sdk is None else sdk
        made = self.repositories[kind, name] = Repository(name, kind, private, sdk)
        made.gated = gated
        if files:
            made.write(files)
        return made

    def repository(self, name: str, kind: str = "model") -> Repository:
        """For example ``.write({"config.json": b"{}"})``, a commit of somebody else."""
        return self.repositories[kind, name]

    def files(self, name: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        """Every file's bytes, by path, as a client would get them."""
        found = self.repositories[kind, name].at(revision).files
        return {path: blob.content for path, blob in found.items()}

    def commits(self, name: str, revision: str = "main", kind: str = "model") -> list[Commit]:
        """The newest first; the last is the Hub's own, which made the repository."""
        return self.repositories[kind, name].commits(revision)

    def requests(self, method: str = "", path: str = "") -> list[Logged]:
        """Those of the log with this method whose path contains ``path``."""
        return [one for one in self.log if one.method.startswith(method) and path in one.path]

    def cut(self, method: str, after: int, path: str = "", times: float = 1) -> None:
        """Cut the connection ``after`` so many bytes of a body: PUT (POST) up, GET a file down.

        ``times`` may be ``math.inf``. A body that is shorter arrives whole.
        """
        self.faults.waiting.append(Fault("cut", after, method, path, times))

    def fail(self, status: int, path: str = "", method: str = "", times: float = 1) -> None:
        """Answer ``status`` to requests whose path contains ``path``."""
        self.faults.waiting.append(Fault("status", status, method, path, times))

    def lose(self, path: str, method: str = "", times: float = 1) -> None:
        """Do what is asked for, as far as the log goes too, and end the connection unanswered."""
        self.faults.waiting.append(Fault("lose", True, method, path, times))

    def first(self, action: Callable[[], object], path: str, method: str = "") -> None:
        """Call ``action`` before the next such request is answered: somebody else is faster."""
        self.faults.waiting.append(Fault("first", action, method, path, 1))

    def use_xet(self, folder: Path) -> XetStore:
        """From now on take large objects through Xet too, by way of ``folder``; see ``hub_xet``."""
        self.xet = XetStore(folder)
        return self.xet

    def take_from_xet(self, repository: Repository, oid: str, size: int) -> None:
        """If an object was uploaded through Xet, keep its bytes as if it had come by LFS."""
        name = None if self.xet is None else self.xet.hashes().get(oid)
        if self.xet is not None and name is not None and oid not in repository.objects:
            content = self.xet.read(name, size)
            assert hashlib.sha256(content).hexdigest() == oid
            repository.objects[oid], repository.xet[oid] = content, name

    def signature(self, oid: str) -> str:
        """Allows one large object to be sent up or down without a token."""
        return hashlib.sha256(f"{self._secret}{oid}".encode()).hexdigest()[:32]

    def environment(
        self, home: Path, token: str | None = None, offline: bool = False, hurry: bool = False
    ) -> dict[str, str]:
        """A process's environment, in which huggingface_hub speaks to this Hub and no other.

        Its cache and its tokens are below ``home``. ``hurry`` makes ``time.sleep`` short in a
        Python process: the client waits for half a minute in all before it gives up an upload.
        """
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        mine = {
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
            mine["PYTHONPATH"] = os.pathsep.join(
                filter(None, [str(_hurried(home / "hurry")), os.environ.get("PYTHONPATH")])
            )
        return kept | mine


def _hurried(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    code = "import time\n_sleep = time.sleep\ntime.sleep = lambda s: _sleep(min(s, 0.01))\n"
    (folder / "sitecustomize.py").write_text(code, "utf-8")
    return folder


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A Hub that answers until the block ends."""
    hub = LoopbackHub()
    threads = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in hub.servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(hub.servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
