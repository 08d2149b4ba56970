"""Helpers for tests in a real browser: Chromium, onnxruntime-web, and a watched page.

If one of them is missing the test is skipped, or fails if the environment variable
ZOO_TEST_REQUIRE names its purpose: ``ZOO_TEST_REQUIRE=node,browser``.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT = 60_000
KINDS = {".mjs": "text/javascript", ".wasm": "application/wasm"}


def missing(what: str, reason: str) -> None:
    """Skips the test, or fails it if ZOO_TEST_REQUIRE names ``what``."""
    if what in os.environ.get("ZOO_TEST_REQUIRE", "").split(","):
        pytest.fail(f"{reason}, and ZOO_TEST_REQUIRE names {what}")
    pytest.skip(reason)


def node() -> str:
    """The path of node."""
    path = shutil.which("node")
    if path is None:
        missing("node", "node is not installed")
    return str(path)


def ort() -> Path:
    """The folder of the npm package onnxruntime-web."""
    named = os.environ.get("ZOO_TEST_ORT")
    folder = Path(named) if named else ROOT / "node_modules" / "onnxruntime-web"
    if not folder.is_dir():
        missing(
            "browser", f"onnxruntime-web is not in {folder}: npm install --no-save, see .ci/run"
        )
    return folder


def ort_node() -> Path:
    """A ``node_modules`` that has onnxruntime-node."""
    folder = ROOT / "node_modules"
    if not (folder / "onnxruntime-node").is_dir():
        missing("node", f"onnxruntime-node is not in {folder}: npm install --no-save, see .ci/run")
    return folder


def hub_client() -> Path:
    """The module of the npm package @huggingface/hub."""
    module = ROOT / "node_modules/@huggingface/hub/dist/index.mjs"
    if not module.is_file():
        missing("node", f"@huggingface/hub is not in {ROOT / 'node_modules'}: see .ci/run")
    return module


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing("browser", f"no browser is installed: none of {', '.join(NAMES)}")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("browser", "playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


_PIXELS = """selector => [...document.querySelectorAll(selector)].map(canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
})"""


class Plain(SimpleHTTPRequestHandler):
    """Python's own server, without the headers for isolation."""

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path, handler: type[SimpleHTTPRequestHandler] = Plain) -> Iterator[str]:
    """Serves ``folder`` on loopback; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Watched:
    """A page of ``zoo demo`` that records its problems."""

    def __init__(self, browser: Any, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.problems: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on(
            "requestfailed", lambda request: self.problems.append(f"failed: {request.url}")
        )
        self.page.on("response", self._on_response)

    def open(self, address: str) -> Watched:
        self.page.goto(address)
        self.settle()
        return self

    def serve(self, cdn: str) -> None:
        """Answers requests to ``cdn``, the source of onnxruntime-web, with local files."""
        files = ort() / "dist"
        self.context.route(
            f"{cdn}*",
            lambda route: route.fulfill(
                path=files / route.request.url.rpartition("/")[2],
                content_type=KINDS[Path(route.request.url).suffix],
                headers={
                    "access-control-allow-origin": "*",
                    "cross-origin-resource-policy": "cross-origin",
                },
            ),
        )

    def settle(self) -> None:
        """Waits until every area is complete."""
        self.wait_for(
            "document.querySelectorAll('[aria-busy=true]').length === 0"
            " && document.querySelector('#grid canvas') !== null"
        )

    def wait_for(self, expression: str, argument: Any = None) -> None:
        """Waits until a JavaScript expression is true; Playwright's own waiting evaluates text in
        the page, which its content security policy forbids."""
        end = time.monotonic() + TIMEOUT / 1000
        while not self.page.evaluate(expression, argument):
            assert time.monotonic() < end, f"{expression} stays false; {self.problems}"
            time.sleep(0.01)

    def images(self, selector: str) -> Any:
        """The pixels of the selected canvases, uint8 ``[n, S, S, 3]``."""
        pixels = np.array(self.page.evaluate(_PIXELS, selector), np.uint8)
        side = int((pixels.shape[1] // 4) ** 0.5)
        return pixels.reshape(len(pixels), side, side, 4)[..., :3]

    def slide(self, name: str, value: float) -> None:
        """Moves the slider ``name``."""
        self.page.locator(f"#{name}").evaluate(
            "(slider, value) => { slider.value = value;"
            " slider.dispatchEvent(new Event('input', { bubbles: true })); }",
            value,
        )
        self.settle()

    def text(self, name: str) -> str:
        return str(self.page.inner_text(f"#{name}"))

    def close(self) -> None:
        self.context.close()

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text}")

    def _on_response(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")
