"""The Hub on loopback is what huggingface_hub takes for the Hub."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_client import CARD, FILES, NAME, WEIGHTS
from loopback_hub import LoopbackHub

CLIENT = Path(__file__).with_name("hub_client.py")
Client = Callable[..., Any]


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Client:
    """``client("push")`` is a story of hub_client.py; with a token unless ``token`` is another."""

    def run(story: str, *arguments: object, home: str = "home", **options: Any) -> Any:
        options = {"token": hub.tokens.write, "hurry": True, **options}
        return told(
            [sys.executable, CLIENT, story, *arguments],
            hub.environment(tmp_path / home, **options),
        )["result"]

    return run


def told(command: list[Any], environment: dict[str, str]) -> Any:
    """What a client printed; its failing is the test's."""
    done = subprocess.run(
        [str(part) for part in command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_push(hub: LoopbackHub, client: Client) -> None:
    said = client("push")
    check_push(hub, said)
    assert all(one.agent.startswith("genzoo/1.2.3;") for one in hub.requests(path="/commit/"))
    assert {one.token for one in hub.requests("PUT")} == {False}
    assert [one.status for one in hub.requests("POST", "/api/repos/create")] == [200, 409, 409]


def check_push(hub: LoopbackHub, said: dict[str, Any]) -> None:
    assert said["user"] == "tester"
    assert said["url"] == f"{hub.url}/{NAME}"
    assert said["again"][1] == 409
    assert said["same"] == said["first"]
    second, first, start = hub.commits(NAME)
    assert [first.oid, second.oid] == [said["first"], said["second"]]
    assert said["commits"] == ["More", "Glow", "initial commit"]
    assert (first.message, list(start.files)) == ("Why", [".gitattributes"])
    files = hub.files(NAME, first.oid)
    assert files.pop(".gitattributes").endswith(
        b"samples/grid.png filter=lfs diff=lfs merge=lfs -text\n"
    )
    assert files == FILES
    large = {path for path, blob in first.files.items() if blob.large}
    assert large == {"model.safetensors", "onnx/sampler.onnx", "samples/grid.png"}
    left = FILES.keys() - {"onnx/sampler.onnx"} | {".gitattributes"}
    assert hub.files(NAME).keys() == left
    assert hub.files(NAME)["config.json"] == b'{"a": 1}'
    assert said["late"][1] == 412
    assert said["gone"][:2] == ["RemoteEntryNotFoundError", 404]
    kind, _, sentence = said["licence"]
    assert kind == "ValueError"
    assert '"license" must be one of [apache-2.0, mit,' in sentence
    sent = [one.path.rsplit("/", 2)[1] for one in hub.requests("PUT")]
    assert sorted(sent) == sorted(first.files[path].sha256 for path in large)


def test_pull(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    commit = hub.create(NAME, files=FILES).write({"onnx/é #1.json": b"1"})
    check_pull(client("pull", tmp_path / "out", token=None), commit.oid, tmp_path / "out")
    assert not any(one.token for one in hub.log)
    said = client("offline", offline=True)
    assert sorted(hub.files(NAME)) == said["files"]


def check_pull(said: dict[str, Any], sha: str, folder: Path) -> None:
    wanted = FILES | {"onnx/é #1.json": b"1"}
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    assert found.pop(".gitattributes")
    assert found == wanted
    assert said["weights"]
    assert said["snapshot"]
    assert (said["sha"], said["library"]) == (sha, "genzoo")
    assert said["tags"] == ["genzoo", "license:apache-2.0"]
    sizes = {path: len(content) for path, content in wanted.items()}
    assert said["sizes"] == sizes | {".gitattributes": said["sizes"][".gitattributes"]}
    assert said["all"] == sorted({*wanted, ".gitattributes", "onnx", "samples"})
    assert said["top"] == [path for path in said["all"] if "/" not in path]
    assert said["folder"] == ["samples/grid.png"]
    assert said["paths"] == ["config.json", "samples"]
    assert said["exists"] == [True, False]
    assert said["missing"][:2] == ["RemoteEntryNotFoundError", 404]
    assert said["nobody"][:2] == ["RepositoryNotFoundError", 401]
    assert said["revision"][:2] == ["RevisionNotFoundError", 404]


def test_offline_makes_no_request(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME, files=FILES)
    said = client("download", "out", "config.json", offline=True)
    assert said["config.json"][0] == "LocalEntryNotFoundError"
    assert hub.log == []


def test_revisions(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME, files=FILES)
    said = client("revisions")
    assert said["branches"] == ["big/try", "main"]
    assert said["tags"] == [["v1", True]]
    assert said["pulls"] == ["refs/pr/1"]
    assert said["pull"] == [f"{hub.url}/{NAME}/discussions/1", "refs/pr/1"]
    assert said["read"] == ["1", "2", "{}"]
    assert said["short"] == "{}"
    assert said["main"][:2] == ["RemoteEntryNotFoundError", 404]
    assert said["again"][1] == 409
    assert said["from"][:2] == ["RevisionNotFoundError", 404]
    assert said["nowhere"][:2] == ["RevisionNotFoundError", 404]
    assert (said["deleted"], said["left"]) == ("done", ["main"])
    assert len(hub.commits(NAME)) == 2


def test_tokens(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME, files=FILES)
    hub.create("tester/private", files=FILES, private=True)
    said = client("tokens", hub.tokens.write, hub.tokens.read, token=None)
    assert said.pop("own") is None
    ends = {
        token: {what: "done" if end == "done" else end[:2] for what, end in tries.items()}
        for token, tries in said.items()
    }
    lost, wrong = ["RepositoryNotFoundError", 401], ["HfHubHTTPError", 401]
    may_not = ["HfHubHTTPError", 403]
    seen = dict.fromkeys(("who", "info", "read", "public"), "done")
    written = dict.fromkeys(("commit", "create", "delete"), "done")
    assert ends["write"] == {**seen, **written, "other": may_not}
    refused = dict.fromkeys(("commit", "create", "other"), may_not)
    assert ends["read"] == {**seen, **refused, "delete": ["RepositoryNotFoundError", 404]}
    assert ends["none"] == {
        **dict.fromkeys(("info", "read", "commit", "delete"), lost),
        **dict.fromkeys(("create", "other"), wrong),
        "who": ["ValueError", None],
        "public": "done",
    }
    assert {tuple(end) for end in ends["wrong"].values()} == {tuple(wrong)}
    assert len(hub.commits("tester/private")) == 3


def test_space(hub: LoopbackHub, client: Client) -> None:
    said = client("space")
    name = "tester/glow-demo"
    made = hub.commits(name, kind="space")[0]
    assert said["url"] == [f"{hub.url}/spaces/{name}", name, "space"]
    assert said["commit"] == f"{hub.url}/spaces/{name}/commit/{made.oid}"
    assert said["info"] == [True, "static", ["tester/glow"]]
    assert (said["page"], said["graph"]) == ("<p>Glow</p>", "graph")
    assert '"sdk" must be one of' in said["bad"][2]
    assert said["model"][:2] == ["RepositoryNotFoundError", 404]


def test_an_upload_that_is_cut_once(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME)
    hub.cut("PUT", after=100_000)
    assert client("send", *FILES) == "done"
    assert sorted(one.status for one in hub.requests("PUT")) == [0, 200, 200, 200]
    assert FILES.items() <= hub.files(NAME).items()
    assert len(hub.commits(NAME)) == 2


def test_an_upload_that_is_always_cut(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME)
    hub.cut("PUT", after=100_000, times=math.inf)
    assert client("send", "config.json", "model.safetensors")[0] == "RuntimeError"
    assert {one.status for one in hub.requests("PUT")} == {0}
    assert hub.requests(path="/commit/") == []
    assert len(hub.commits(NAME)) == 1
    assert hub.repository(NAME).objects == {}


def test_a_download_that_is_cut(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    large = WEIGHTS * 23  # over the ten million bytes that the client takes at a time
    hub.create(NAME, files={"model.safetensors": large, "notes.txt": b"Notes"})
    hub.cut("GET", after=len(large) - 1, path="model.safetensors")
    hub.cut("GET", after=1, path="notes.txt", times=math.inf)
    said = client("download", tmp_path / "out", "model.safetensors", "notes.txt")
    assert said["model.safetensors"] == "done"
    assert (tmp_path / "out/model.safetensors").read_bytes() == large
    assert [one.status for one in hub.requests("GET", "/cdn/")] == [200, 206]
    assert said["notes.txt"][0] == "RemoteProtocolError"
    assert not (tmp_path / "out/notes.txt").exists()


def test_a_status_that_is_asked_for(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME)
    hub.fail(503, "/preupload/")
    hub.fail(500, "/commit/", method="POST")
    assert client("send", "config.json")[:2] == ["HfHubHTTPError", 500]
    assert [one.status for one in hub.requests(path="/preupload/")] == [503, 200]
    assert len(hub.commits(NAME)) == 1
    assert client("send", "config.json") == "done"
    assert hub.files(NAME)["config.json"] == b"{}"
    assert CARD not in hub.files(NAME).values()
