"""The page's server and the Space's card before requests and names of strangers."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from zoo_web.folder import ORT_CDN, content_policy, space_card
from zoo_web.server import HOST, Handler


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / "page"
    (folder / "onnx").mkdir(parents=True)
    (folder / "index.html").write_text("the page")
    (tmp_path / "private").write_text("a sentinel")
    with ThreadingHTTPServer((HOST, 0), partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def answer(port: int, path: str, host: str | None = None, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    response = connection.getresponse()
    return response.status, response.read().decode("utf-8", "replace")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
@pytest.mark.parametrize("suffix", ["", ":PORT"])
def test_this_machine_is_answered(host: str, suffix: str, port: int) -> None:
    assert answer(port, "/", host + suffix.replace("PORT", str(port))) == (200, "the page")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil:1",
        ":",
    ],
)
def test_a_page_of_another_name_is_refused(host: str | None, method: str, port: int) -> None:
    status, text = answer(port, "/", host, method)
    assert status in (400, 403)
    assert "the page" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/onnx/",
        "/onnx",
        "/%00",
        "/a%00.js",
        "/..%2fprivate",
        "/%2e%2e/private",
        "//private",
        "/%ff",
    ],
)
def test_nothing_else_is_listed_or_read(path: str, port: int, capfd) -> None:
    status, text = answer(port, path, "localhost")
    assert status in (301, 404)
    assert "sentinel" not in text
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("key", ["title", "paper", "data"])
def test_a_card_of_a_space_takes_no_markup_from_names(key: str) -> None:
    hostile = '<script>alert(1)</script>\n---\nsdk: docker\n[x](http://evil.example) "q" \u2028# y'
    model = {"title": "Glow: a flow", "paper": "a paper", "data": "digits", "class_names": []}
    card = space_card(model | {key: hostile})
    _, front, body = card.split("---\n", 2)
    values = yaml.safe_load(front)
    assert values["sdk"] == "static"
    assert set(values) == {"title", "sdk", "pinned", "custom_headers", "tags"}
    assert "<script" not in body
    assert "[x](" not in body
    assert not any(line.startswith(("---", "# y")) for line in body.splitlines())


def test_the_policy_names_no_source_but_the_page_and_its_runtime() -> None:
    own, remote = content_policy("ort/"), content_policy(ORT_CDN)
    assert "http" not in own
    assert remote.count("https://") == remote.count(ORT_CDN) == 3
    for policy in (own, remote):
        assert policy.startswith("default-src 'none'")
        assert "'unsafe-inline'" not in policy
        assert "'unsafe-eval'" not in policy
