"""npm's @huggingface/hub, a second client, works with the local Hub."""

from __future__ import annotations

import json
import os
import subprocess

import browser
from hub_client import NAME, WEIGHTS
from loopback_hub import LoopbackHub
from project import ROOT

CLIENT = ROOT / "tests/helpers/hub_client.mjs"


def test_node(hub: LoopbackHub) -> None:
    command = [browser.node(), CLIENT, browser.hub_client(), hub.url, hub.tokens.write]
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    second, first, start = hub.commits(NAME)
    assert (result["user"], result["url"]) == ("tester", f"{hub.url}/{NAME}")
    assert (result["first"], result["second"]) == (first.oid, second.oid)
    assert hub.files(NAME, "old") == {
        **hub.files(NAME, start.oid),
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "samples/é.txt": b"1",
    }
    assert first.files["model.safetensors"].large
    assert result["listed"] == [".gitattributes", "config.json", "model.safetensors"]
    assert result["listed"] == list(hub.files(NAME))
    assert result["weights"] == 0
    assert result["config"] == ["[]", "{}"]
    assert result["range"] == list(WEIGHTS[300:303])
    assert result["page"] == "<p>Node</p>"
    assert hub.files("tester/demo", kind="space")["index.html"] == b"<p>Node</p>"
    assert result["missing"] is None
    assert [result[call][0] for call in ("again", "late", "wrong", "nobody")] == [
        409,
        412,
        401,
        404,
    ]
    assert [request.token for request in hub.requests("PUT")] == [False]
    assert {request.status for request in hub.requests(path="/cdn/")} == {200, 206}
