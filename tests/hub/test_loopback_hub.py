"""huggingface_hub works with the local Hub as with the real one."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hub_xet
import pytest
from hub_client import CARD, FILES, NAME, WEIGHTS
from hub_scenarios import (
    check_pull,
    check_push,
    check_revisions,
    check_space,
    check_tokens,
    run_scenario,
)
from loopback_hub import LoopbackHub

OLDEST = "1.33.0"
Client = Callable[..., Any]


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Client:
    """Runs a scenario of hub_client.py, ``client("push")``, with the write token by default."""

    def run(scenario: str, *arguments: object, **options: Any) -> Any:
        options = {"token": hub.tokens.write, "hurry": True, **options}
        environment = hub.environment(tmp_path / "home", **options)
        return run_scenario(scenario, *arguments, environment=environment)["result"]

    return run


def test_push(hub: LoopbackHub, client: Client) -> None:
    check_push(hub, client("push"))
    assert all(
        request.agent.startswith("genzoo/1.2.3;") for request in hub.requests(path="/commit/")
    )
    assert {request.token for request in hub.requests("PUT")} == {False}
    assert [request.status for request in hub.requests("POST", "/api/repos/create")] == [
        200,
        409,
        409,
    ]


def test_pull(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    hub.create(NAME, files=FILES)
    check_pull(hub, client("pull", tmp_path / "out", token=None), tmp_path / "out")
    assert not any(request.token for request in hub.log)
    result = client("offline", offline=True)
    assert sorted(hub.files(NAME)) == result["files"]


def test_offline_makes_no_request(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME, files=FILES)
    result = client("download", "out", "config.json", offline=True)
    assert result["config.json"][0] == "LocalEntryNotFoundError"
    assert hub.log == []


def test_revisions(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME, files=FILES)
    check_revisions(hub, client("revisions"))


def test_tokens(hub: LoopbackHub, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_user")
    hub.create(NAME, files=FILES)
    hub.create("tester/private", files=FILES, private=True)
    check_tokens(hub, client("tokens", hub.tokens.write, hub.tokens.read, token=None))


def test_space(hub: LoopbackHub, client: Client) -> None:
    check_space(hub, client("space"))


def test_an_upload_that_is_interrupted_once(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME)
    hub.cut("PUT", after=100_000)
    assert client("send", *FILES) == "done"
    assert sorted(request.status for request in hub.requests("PUT")) == [0, 200, 200, 200]
    assert FILES.items() <= hub.files(NAME).items()
    assert len(hub.commits(NAME)) == 2


def test_an_upload_that_is_always_interrupted(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME)
    hub.cut("PUT", after=100_000, times=math.inf)
    assert client("send", "config.json", "model.safetensors")[0] == "RuntimeError"
    assert {request.status for request in hub.requests("PUT")} == {0}
    assert hub.requests(path="/commit/") == []
    assert len(hub.commits(NAME)) == 1
    assert hub.repository(NAME).objects == {}


def test_a_download_that_is_interrupted(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    large = WEIGHTS * 23  # more than the client's chunks of ten million bytes
    hub.create(NAME, files={"model.safetensors": large, "notes.txt": b"Notes"})
    hub.cut("GET", after=len(large) - 1, path="model.safetensors")
    hub.cut("GET", after=1, path="notes.txt", times=math.inf)
    result = client("download", tmp_path / "out", "model.safetensors", "notes.txt")
    assert result["model.safetensors"] == "done"
    assert (tmp_path / "out/model.safetensors").read_bytes() == large
    assert [request.status for request in hub.requests("GET", "/cdn/")] == [200, 206]
    assert result["notes.txt"][0] == "RemoteProtocolError"
    assert not (tmp_path / "out/notes.txt").exists()


def test_an_injected_status(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME)
    hub.fail(503, "/preupload/")
    hub.fail(500, "/commit/", method="POST")
    assert client("send", "config.json")[:2] == ["HfHubHTTPError", 500]
    assert [request.status for request in hub.requests(path="/preupload/")] == [503, 200]
    assert len(hub.commits(NAME)) == 1
    assert client("send", "config.json") == "done"
    assert hub.files(NAME)["config.json"] == b"{}"
    assert CARD not in hub.files(NAME).values()


def test_a_lost_answer(hub: LoopbackHub, client: Client) -> None:
    hub.create(NAME)
    hub.lose("/commit/")
    assert client("send", "config.json")[0] == "RemoteProtocolError"
    assert [request.status for request in hub.requests(path="/commit/")] == [200]
    assert hub.files(NAME)["config.json"] == b"{}"
    assert client("send", "config.json") == "done"
    assert len(hub.commits(NAME)) == 2


def test_a_concurrent_commit(hub: LoopbackHub, client: Client) -> None:
    repository = hub.create(NAME)
    hub.first(lambda: repository.write({"config.json": b"{}"}), "/preupload/")
    assert client("send", "config.json") == "done"
    assert [commit.title for commit in hub.commits(NAME)] == ["Filled by a test", "initial commit"]
    assert hub.requests(path="/commit/") == []


def test_a_gated_repository(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    hub.create(NAME, files=FILES, gated=True)
    result = client("download", tmp_path / "out", "config.json", token=None)
    assert result["config.json"][:2] == ["GatedRepoError", 401]
    assert client("download", tmp_path / "out", "config.json")["config.json"] == "done"


def test_xet(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    """The default transfer of huggingface_hub."""
    reason = hub_xet.missing()
    if reason is not None:
        pytest.skip(reason)
    hub.use_xet(tmp_path / "xet")
    check_push(hub, client("push"))
    assert hub.requests(path="/lfs/") == []
    assert hub.requests(path="/xet-write-token/main")
    hub.repository(NAME).refs["refs/heads/main"] = hub.commits(NAME)[1].oid
    check_pull(hub, client("pull", tmp_path / "out", token=None), tmp_path / "out")
    assert hub.requests("GET", "/cdn/") == []
    assert hub.requests(path="/xet-read-token/")


@pytest.mark.slow
def test_the_oldest_client(hub: LoopbackHub, tmp_path: Path) -> None:
    """The oldest version that pyproject.toml allows, with another HTTP library."""
    env = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", env], check=True)
    install = [env / "bin/python", "-m", "pip", "install", "--quiet", f"huggingface_hub=={OLDEST}"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"huggingface_hub {OLDEST} cannot be installed: {done.stderr.strip()[-300:]}")

    def client(scenario: str, *arguments: object, token: str | None = None) -> Any:
        environment = hub.environment(
            tmp_path / f"home-{scenario}-{hub.xet is not None}", token, hurry=True
        )
        output = run_scenario(
            scenario, *arguments, environment=environment, python=env / "bin/python"
        )
        assert (output["version"], output["xet"]) == (OLDEST, hub.xet is not None)
        return output["result"]

    write, read = hub.tokens.write, hub.tokens.read
    for xet in (False, True) if hub_xet.missing() is None else (False,):
        if xet:
            hub.use_xet(tmp_path / "xet")
        hub.repositories.clear()
        check_push(hub, client("push", token=write))
        hub.repository(NAME).refs["refs/heads/main"] = hub.commits(NAME)[1].oid
        check_pull(hub, client("pull", tmp_path / f"out-{xet}"), tmp_path / f"out-{xet}")
        check_revisions(hub, client("revisions", token=write))
        hub.create("tester/private", files=FILES, private=True)
        check_tokens(hub, client("tokens", write, read))
        check_space(hub, client("space", token=write))
