"""The Hub on loopback is what npm's @huggingface/hub takes for the Hub: a second opinion of it."""

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
    said = json.loads(done.stdout)
    second, first, start = hub.commits(NAME)
    assert (said["user"], said["url"]) == ("tester", f"{hub.url}/{NAME}")
    assert (said["first"], said["second"]) == (first.oid, second.oid)
    assert hub.files(NAME, "old") == {
        **hub.files(NAME, start.oid),
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "samples/é.txt": b"1",
    }
    assert first.files["model.safetensors"].large
    assert said["listed"] == [".gitattributes", "config.json", "model.safetensors"]
    assert said["listed"] == list(hub.files(NAME))
    assert said["weights"] == 0
    assert said["config"] == ["[]", "{}"]
    assert said["range"] == list(WEIGHTS[300:303])
    assert said["page"] == "<p>Node</p>"
    assert hub.files("tester/demo", kind="space")["index.html"] == b"<p>Node</p>"
    assert said["missing"] is None
    assert [said[what][0] for what in ("again", "late", "wrong", "nobody")] == [409, 412, 401, 404]
    assert [one.token for one in hub.requests("PUT")] == [False]
    assert {one.status for one in hub.requests(path="/cdn/")} == {200, 206}
