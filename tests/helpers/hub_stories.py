"""hub_client.py in a process of its own, and what its stories leave on a Hub on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hub_client import FILES, NAME
from loopback_hub import LoopbackHub

CLIENT = Path(__file__).with_name("hub_client.py")


def tell(
    story: str,
    *arguments: object,
    environment: dict[str, str],
    python: str | Path = sys.executable,
) -> Any:
    """What the client printed; that it failed is the test's failure."""
    done = subprocess.run(
        [str(part) for part in (python, CLIENT, story, *arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_push(hub: LoopbackHub, said: dict[str, Any]) -> None:
    """``said`` is of ``push``, to an empty Hub."""
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
    if hub.xet is None:
        sent = [one.path.rsplit("/", 2)[1] for one in hub.requests("PUT")]
        assert sorted(sent) == sorted(first.files[path].sha256 for path in large)
    else:
        assert {path for path, blob in first.files.items() if blob.xet} == large


def check_pull(hub: LoopbackHub, said: dict[str, Any], folder: Path) -> None:
    """``said`` is of ``pull FOLDER``, of a repository that has FILES."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    assert found == hub.files(NAME)
    assert found.pop(".gitattributes")
    assert found == FILES
    assert said["weights"]
    assert said["snapshot"]
    assert (said["sha"], said["library"]) == (hub.commits(NAME)[0].oid, "genzoo")
    assert said["tags"] == ["genzoo", "license:apache-2.0"]
    sizes = {path: len(content) for path, content in FILES.items()}
    assert said["sizes"] == sizes | {".gitattributes": said["sizes"][".gitattributes"]}
    assert said["all"] == sorted({*FILES, ".gitattributes", "onnx", "samples"})
    assert said["top"] == [path for path in said["all"] if "/" not in path]
    assert said["folder"] == ["samples/grid.png", "samples/é #1.json"]
    assert said["paths"] == ["config.json", "samples"]
    assert said["exists"] == [True, False]
    assert said["missing"][:2] == ["RemoteEntryNotFoundError", 404]
    assert said["nobody"][:2] == ["RepositoryNotFoundError", 401]
    assert said["revision"][:2] == ["RevisionNotFoundError", 404]


def check_revisions(hub: LoopbackHub, said: dict[str, Any]) -> None:
    """``said`` is of ``revisions``, of a repository that has FILES."""
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


def check_tokens(hub: LoopbackHub, said: dict[str, Any]) -> None:
    """``said`` is of ``tokens``, of FILES in a public and in a private repository."""
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


def check_space(hub: LoopbackHub, said: dict[str, Any]) -> None:
    """``said`` is of ``space``, of a Hub without that Space."""
    name = "tester/glow-demo"
    made = hub.commits(name, kind="space")[0]
    assert said["url"] == [f"{hub.url}/spaces/{name}", name, "space"]
    assert said["commit"] == f"{hub.url}/spaces/{name}/commit/{made.oid}"
    assert said["info"] == [True, "static", ["tester/glow"]]
    assert (said["page"], said["graph"]) == ("<p>Glow</p>", "graph")
    assert '"sdk" must be one of' in said["bad"][2]
    assert said["model"][:2] == ["RepositoryNotFoundError", 404]
