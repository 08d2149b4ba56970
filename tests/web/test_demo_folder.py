"""Folders of ``zoo demo`` in a real browser: with onnxruntime from elsewhere, broken, as files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import browser
import pytest
from demo_pages import Demo, differ

from zoo_web.folder import ORT_CDN, ORT_FILES, write
from zoo_web.server import Handler

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

pytest_plugins = ["demo_pages"]
pytestmark = pytest.mark.browser


def test_onnxruntime_comes_from_the_cdn_without_ort(
    glow: Demo, chrome, served, tmp_path: Path
) -> None:
    write(glow.run.path, tmp_path / "page")
    address = served(tmp_path / "page", Handler)
    page = browser.Watched(chrome)
    page.serve(ORT_CDN)
    page.open(f"{address}#seed=7")
    images = page.images("#grid canvas")
    assert differ(images, glow.samples(len(images), 7, 0.7)) <= 1
    assert page.problems == []
    page.close()


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "damaged graph": (
        lambda folder: (folder / "onnx/sampler.onnx").write_bytes(b"no graph"),
        "onnx/sampler.onnx is not a graph that onnxruntime can run",
    ),
    "no graph": (
        lambda folder: (folder / "onnx/sampler.onnx").unlink(),
        "onnx/sampler.onnx could not be fetched (404)",
    ),
    "no model.json": (
        lambda folder: (folder / "model.json").unlink(),
        "model.json could not be fetched (404)",
    ),
    "damaged model.json": (
        lambda folder: (folder / "model.json").write_text("{"),
        "model.json is damaged: write this folder again",
    ),
    "no runtime": (
        lambda folder: (folder / "ort" / ORT_FILES[0]).unlink(),
        "lacks onnxruntime-web",
    ),
    "no network": (
        lambda folder: (folder / "model.json").write_text(
            (folder / "model.json").read_text().replace('"ort/"', f'"{ORT_CDN}"')
        ),
        "onnxruntime-web could not be fetched from cdn.jsdelivr.net",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_folder_shows_an_error(
    glow: Demo, chrome, served, tmp_path: Path, what: str
) -> None:
    break_folder, sentence = BREAKS[what]
    shutil.copytree(glow.folder, tmp_path / "page")
    break_folder(tmp_path / "page")
    page = browser.Watched(chrome)
    page.context.route(f"{ORT_CDN}*", lambda route: route.abort())
    address = served(tmp_path / "page")
    page.page.goto(address)
    page.page.wait_for_selector("#problem:not([hidden])")
    assert sentence in page.text("problem")
    page.close()


def test_a_page_opened_as_a_file_says_what_it_needs(glow: Demo, chrome) -> None:
    page = browser.Watched(chrome)
    page.page.goto((glow.folder / "index.html").as_uri())
    page.page.wait_for_selector(".unstarted", state="visible")
    assert "needs JavaScript and a web server" in page.page.inner_text(".unstarted")
    page.close()
