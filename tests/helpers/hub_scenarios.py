"""Runs scenarios of hub_client.py in a new process, and checks their effects on a LoopbackHub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hub_client import FILES, NAME
from loopback_hub import LoopbackHub

CLIENT = Path(__file__).with_name("hub_client.py")


def run_scenario(
    scenario: str,
    *arguments: object,
    environment: dict[str, str],
    python: str | Path = sys.executable,
) -> Any:
    """Output of a scenario, which must succeed."""
    done = subprocess.run(
        [str(part) for part in (python, CLIENT, scenario, *arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_push(hub: LoopbackHub, result: dict[str, Any]) -> None:
    """Checks the ``result`` of ``push`` to an empty Hub."""
    assert result["user"] == "tester"
    assert result["url"] == f"{hub.url}/{NAME}"
    assert result["again"][1] == 409
    assert result["same"] == result["first"]
    second, first, start = hub.commits(NAME)
    assert [first.oid, second.oid] == [result["first"], result["second"]]
    assert result["commits"] == ["More", "Glow", "initial commit"]
    assert (first.message, list(start.files)) == ("Why", [".gitattributes"])
    files = hub.files(NAME, first.oid)
    assert files.pop(".gitattributes").endswith(
        b"samples/grid.png filter=lfs diff=lfs merge=lfs -text\n"
    )
    assert files == FILES
    large = {path for path, blob in first.files.items() if blob.large}
    assert large == {"model.safetensors", "onnx/sampler.onnx", "samples/grid.png"}
    remaining = FILES.keys() - {"onnx/sampler.onnx"} | {".gitattributes"}
    assert hub.files(NAME).keys() == remaining
    assert hub.files(NAME)["config.json"] == b'{"a": 1}'
    assert result["late"][1] == 412
    assert result["gone"][:2] == ["RemoteEntryNotFoundError", 404]
    kind, _, sentence = result["license"]
    assert kind == "ValueError"
    assert '"license" must be one of [apache-2.0, mit,' in sentence
    if hub.xet is None:
        uploaded = [request.path.rsplit("/", 2)[1] for request in hub.requests("PUT")]
        assert sorted(uploaded) == sorted(first.files[path].sha256 for path in large)
    else:
        assert {path for path, blob in first.files.items() if blob.xet} == large


def check_pull(hub: LoopbackHub, result: dict[str, Any], folder: Path) -> None:
    """Checks the ``result`` of ``pull FOLDER`` from a repository with FILES."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    assert files == hub.files(NAME)
    assert files.pop(".gitattributes")
    assert files == FILES
    assert result["weights"]
    assert result["snapshot"]
    assert (result["sha"], result["library"]) == (hub.commits(NAME)[0].oid, "genzoo")
    assert result["tags"] == ["genzoo", "license:apache-2.0"]
    sizes = {path: len(content) for path, content in FILES.items()}
    assert result["sizes"] == sizes | {".gitattributes": result["sizes"][".gitattributes"]}
    assert result["all"] == sorted({*FILES, ".gitattributes", "onnx", "samples"})
    assert result["top"] == [path for path in result["all"] if "/" not in path]
    assert result["folder"] == ["samples/grid.png", "samples/é #1.json"]
    assert result["paths"] == ["config.json", "samples"]
    assert result["exists"] == [True, False]
    assert result["missing"][:2] == ["RemoteEntryNotFoundError", 404]
    assert result["nobody"][:2] == ["RepositoryNotFoundError", 401]
    assert result["revision"][:2] == ["RevisionNotFoundError", 404]


def check_revisions(hub: LoopbackHub, result: dict[str, Any]) -> None:
    """Checks the ``result`` of ``revisions`` on a repository with FILES."""
    assert result["branches"] == ["big/try", "main"]
    assert result["tags"] == [["v1", True]]
    assert result["pulls"] == ["refs/pr/1"]
    assert result["pull"] == [f"{hub.url}/{NAME}/discussions/1", "refs/pr/1"]
    assert result["read"] == ["1", "2", "{}"]
    assert result["short"] == "{}"
    assert result["main"][:2] == ["RemoteEntryNotFoundError", 404]
    assert result["again"][1] == 409
    assert result["from"][:2] == ["RevisionNotFoundError", 404]
    assert result["nowhere"][:2] == ["RevisionNotFoundError", 404]
    assert (result["deleted"], result["left"]) == ("done", ["main"])
    assert len(hub.commits(NAME)) == 2


def check_tokens(hub: LoopbackHub, result: dict[str, Any]) -> None:
    """Checks the ``result`` of ``tokens`` with FILES in a public and a private repository."""
    assert result.pop("own") is None
    ends = {
        token: {what: "done" if end == "done" else end[:2] for what, end in tries.items()}
        for token, tries in result.items()
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


def check_space(hub: LoopbackHub, result: dict[str, Any]) -> None:
    """Checks the ``result`` of ``space`` on a Hub without that Space."""
    name = "tester/glow-demo"
    commit = hub.commits(name, kind="space")[0]
    assert result["url"] == [f"{hub.url}/spaces/{name}", name, "space"]
    assert result["commit"] == f"{hub.url}/spaces/{name}/commit/{commit.oid}"
    assert result["info"] == [True, "static", ["tester/glow"]]
    assert (result["page"], result["graph"]) == ("<p>Glow</p>", "graph")
    assert '"sdk" must be one of' in result["bad"][2]
    assert result["model"][:2] == ["RepositoryNotFoundError", 404]
