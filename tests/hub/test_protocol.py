"""Answers of the local Hub to requests that no well-behaved client sends."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from typing import Any
from urllib.parse import quote

import pytest
from hub_client import FILES, NAME
from hub_metadata import validate
from loopback_hub import LoopbackHub

API = f"/api/models/{NAME}"
BATCH = f"/{NAME}.git/info/lfs/objects/batch"


class Ask:
    """``ask("GET", path)`` returns status, headers in lower case, and body."""

    def __init__(self, hub: LoopbackHub) -> None:
        self.hub = hub

    def __call__(
        self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        host = path.removeprefix("http://").partition("/")[0] or self.hub.url[7:]
        connection = http.client.HTTPConnection(host, timeout=10)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection.request(method, path.removeprefix(f"http://{host}"), body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content

    def commit(self, *operations: tuple[str, Any], **header: Any) -> tuple[int, str]:
        lines = [("header", {"summary": "Asked", **header}), *operations]
        text = "\n".join(json.dumps({"key": key, "value": value}) for key, value in lines)
        status, _, body = self("POST", f"{API}/commit/main", text.encode(), self.hub.tokens.write)
        return status, body.decode()


@pytest.fixture
def ask(hub: LoopbackHub) -> Ask:
    hub.create(NAME, files=FILES)
    return Ask(hub)


def file(path: str, content: bytes = b"new") -> tuple[str, Any]:
    encoded = base64.b64encode(content).decode()
    return "file", {"path": path, "content": encoded, "encoding": "base64"}


def large(path: str, content: bytes) -> tuple[str, Any]:
    oid = hashlib.sha256(content).hexdigest()
    return "lfsFile", {"path": path, "algo": "sha256", "oid": oid, "size": len(content)}


def test_a_commit_is_complete_or_nothing(hub: LoopbackHub, ask: Ask) -> None:
    before = hub.commits(NAME)
    never = large("b.onnx", b"never uploaded")
    assert ask.commit(file("a"), never)[0] == 422
    assert ask.commit(file("a"), ("deletedFile", {"path": "no"}))[0] == 404
    assert ask.commit(file("a"), ("deletedFolder", {"path": "config.json"}))[0] == 404
    assert ask.commit(file("a"), file("README.md", b"---\nlicense: no\n---\n"))[0] == 400
    assert ask.commit(file("a"), ("file", {"path": "b"}))[0] == 400
    assert ask.commit(file("a"), ("turn", {"path": "b"}))[0] == 400
    assert ask.commit(file("a"), parentCommit=before[1].oid)[0] == 412
    for path in ("../a", "/a", "a/../../b", "a//b", "./a", ".git/config", ""):
        assert ask.commit(file("a"), file(path))[0] == 400, path
    assert hub.commits(NAME) == before
    assert ask.commit(file("a"), parentCommit=before[0].oid)[0] == 200
    assert hub.commits(NAME)[1:] == before
    assert hub.files(NAME) == hub.files(NAME, before[0].oid) | {"a": b"new"}


def upload(hub: LoopbackHub, ask: Ask, content: bytes) -> dict[str, Any]:
    """The answer of the LFS batch for one object."""
    item = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    request = {"operation": "upload", "transfers": ["basic"], "objects": [item]}
    status, _, body = ask("POST", BATCH, request, hub.tokens.write)
    assert status == 200
    (answer,) = json.loads(body)["objects"]
    return dict(answer)


def test_large_objects(hub: LoopbackHub, ask: Ask) -> None:
    content = b"graph 2"
    actions = upload(hub, ask, content)["actions"]
    where, verify = actions["upload"]["href"], actions["verify"]["href"]
    assert where.startswith(hub.storage + "/")
    assert ask("PUT", where, b"graph 3")[0] == 400
    assert ask("PUT", where, b"graph")[0] == 400
    assert ask("PUT", where.partition("?")[0], content)[0] == 403
    assert ask("PUT", where, content, hub.tokens.write)[0] == 400, "the storage received a token"
    oid = hashlib.sha256(content).hexdigest()
    item = {"oid": oid, "size": len(content)}
    assert ask("POST", verify, item, hub.tokens.write)[0] == 422
    assert ask("PUT", where, content)[0] == 200
    assert ask("POST", verify, item | {"size": 1}, hub.tokens.write)[0] == 422
    assert ask("POST", verify, item, hub.tokens.write)[0] == 200
    assert "actions" not in upload(hub, ask, content)
    assert "b.onnx" not in hub.files(NAME)
    assert ask.commit(large("b.onnx", content))[0] == 200
    assert hub.files(NAME)["b.onnx"] == content
    raw = ask("GET", f"/{NAME}/raw/main/b.onnx")[2]
    assert raw.splitlines()[1] == f"oid sha256:{oid}".encode()


def test_redirects_and_ranges(hub: LoopbackHub, ask: Ask) -> None:
    home, content = f"/{NAME}/resolve/main", FILES["model.safetensors"]
    status, headers, _ = ask("HEAD", f"{home}/model.safetensors")
    blob = hub.commits(NAME)[0].files["model.safetensors"]
    assert status == 302
    assert headers["x-linked-etag"] == f'"{blob.sha256}"'
    assert headers["x-linked-size"] == str(len(content))
    assert headers["x-repo-commit"] == hub.commits(NAME)[0].oid
    where = headers["location"]
    assert where.startswith(hub.storage + "/")
    assert ask("GET", where)[2] == content
    for span, part in {"5-9": content[5:10], "500-": content[500:], "-7": content[-7:]}.items():
        status, headers, body = ask("GET", where, Range=f"bytes={span}")
        assert (status, body) == (206, part)
        assert headers["content-range"].endswith(f"/{len(content)}")
    assert ask("GET", where, Range=f"bytes={len(content)}-")[0] == 416
    assert ask("GET", where.partition("?")[0])[0] == 403
    assert ask("GET", f"{hub.storage}{API}")[0] == 404
    status, headers, _ = ask("HEAD", f"{home}/config.json")
    assert (status, headers["location"][:18]) == (307, "/api/resolve-cache")
    status, headers, body = ask("GET", headers["location"])
    assert (status, body) == (200, b"{}")
    assert headers["etag"] == f'"{hub.commits(NAME)[0].files["config.json"].oid}"'
    status, headers, _ = ask("HEAD", f"{home}/no")
    assert (status, headers["x-error-code"]) == (404, "EntryNotFound")
    assert headers["x-repo-commit"] == hub.commits(NAME)[0].oid


def test_a_private_file_needs_a_token(hub: LoopbackHub, ask: Ask) -> None:
    hub.create("tester/own", files={"config.json": b"{}"}, private=True)
    path = "/tester/own/resolve/main/config.json"
    status, headers, _ = ask("GET", path)
    assert (status, headers["x-error-code"]) == (401, "RepoNotFound")
    assert ask("GET", path, token="hf_no")[0] == 401
    where = ask("GET", path, token=hub.tokens.read)[1]["location"]
    assert ask("GET", where)[0] == 401
    assert ask("GET", where, token=hub.tokens.read)[2] == b"{}"


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "a\\..\\x", "C:x", "a\nb", "é #?%"]
)
def test_any_name_is_served(hub: LoopbackHub, ask: Ask, name: str) -> None:
    hub.repository(NAME).write({name: b"hostile"})
    listed = json.loads(ask("GET", f"{API}/tree/main?recursive=true")[2])
    assert name in [entry["path"] for entry in listed]
    assert name in [entry["rfilename"] for entry in json.loads(ask("GET", API)[2])["siblings"]]
    status, headers, _ = ask("GET", f"/{NAME}/resolve/main/{quote(name, safe='')}")
    assert status == 307
    assert ".." not in headers["location"].split("/"), "a client would resolve it"
    assert ask("GET", headers["location"])[2] == b"hostile"


def test_the_log(hub: LoopbackHub, ask: Ask) -> None:
    ask("GET", f"{API}?blobs=1", token=hub.tokens.read, **{"User-Agent": "me"})
    ask("GET", "/no")
    first, second = hub.log
    assert (first.method, first.path, first.query) == ("GET", API, "blobs=1")
    assert (first.status, first.agent, first.token) == (200, "me", True)
    assert (second.status, second.token) == (404, False)
    assert hub.tokens.read not in repr(hub.log)


VALID = """license: apache-2.0
library_name: genzoo
pipeline_tag: unconditional-image-generation
tags: [glow, onnx]
model-index:
- name: glow
  results:
  - task: {type: unconditional-image-generation}
    dataset: {type: mnist, name: MNIST}
    metrics: [{type: bits-per-dim, value: 1.5}]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("apache-2.0", "apache-2", '"license" must be one of [apache-2.0, mit,'),
        ("[glow, onnx]", "glow", '"tags" must be an array'),
        ("[glow, onnx]", "[glow, 1]", '"tags[1]" must be a string'),
        ("- name: glow\n ", "-", '"model-index[0].name" is required'),
        ("{type: mnist, name: MNIST}", "{type: mnist}", ".dataset.name" + '" is required'),
        (", value: 1.5", "", '"model-index[0].results[0].metrics[0].value" is required'),
        (VALID[VALID.index("\n- name") :], " glow\n", '"model-index" must be an array'),
        ("library_name: genzoo", "license: mit", "duplicated mapping key: license"),
        ("[glow, onnx]", "[glow", "while parsing a flow sequence"),
    ],
)
def test_errors_about_a_card(old: str, new: str, message: str) -> None:
    assert validate(f"---\n{VALID}---\nText", "model") == ([], [])
    assert old in VALID
    errors, warnings = validate(f"---\n{VALID.replace(old, new)}---\nText", "model")
    assert len(errors) == 1
    assert message in errors[0]
    assert warnings == []


def test_warnings_about_a_card() -> None:
    assert validate("No metadata", "model") == ([], ["empty or missing yaml metadata in repo card"])
    (warning,) = validate("---\npipeline_tag: images\n---\n", "model")[1]
    assert warning.startswith('The pipeline tag "images" is not')


def test_errors_about_a_space() -> None:
    valid = (
        "sdk: static\ncolorFrom: red\ncustom_headers: {cross-origin-opener-policy: same-origin}\n"
    )
    assert validate(f"---\n{valid}---\n", "space") == ([], [])
    bad = "colorTo: pale\nshort_description: " + "x" * 61 + "\ncustom_headers: {x-other: a}\n"
    errors = validate(f"---\n{bad}---\n", "space")[0]
    keys = ["sdk", "colorTo", "short_description", "custom_headers.x-other"]
    assert [error.split('"')[1] for error in errors] == keys
