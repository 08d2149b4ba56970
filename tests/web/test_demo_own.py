"""The user's own image on the page of ``zoo demo``: prepared and encoded as in Python."""

from __future__ import annotations

import base64
import math
import shutil
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
import torch
from demo_pages import SMALL, Demo, differ, shown
from PIL import Image

import zoo
from zoo.data.preparation.prepare import Preparation
from zoo.run import Run
from zoo.sampling.interpolation import interpolate
from zoo_web.folder import write

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

pytest_plugins = ["demo_pages"]
pytestmark = pytest.mark.browser


def png(folder: Path, pixels: Any) -> Path:
    path = folder / "own.png"
    Image.fromarray(pixels).save(path)
    return path


def show(page: browser.Watched, path: Path) -> None:
    page.page.set_input_files("#file", path)
    page.wait_for("!document.getElementById('own-result').hidden")
    page.settle()


@pytest.mark.parametrize("model", SMALL)
def test_an_own_image_is_encoded_decoded_and_interpolated(
    demos, opened, served, tmp_path: Path, model: str
) -> None:
    demo = demos(model)
    channels = demo.run.image_spec.channels
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, channels), np.uint8)
    address = served(demo.folder)
    page = opened(f"{address}#seed=7&b=2")
    show(page, png(tmp_path, pixels.squeeze()))
    image = demo.run.as_images(pixels.transpose(2, 0, 1)[None].copy()).numpy()
    assert differ(page.images("#own-original"), shown(image)) == 0
    feeds = {"image": image}
    if demo.run.latent.classes:
        feeds["label"] = np.array([2])
    names = [output.name for output in demo.encoder.get_outputs()]
    encoding = dict(zip(names, demo.encoder.run(None, feeds), strict=True))
    z = encoding["z"] if "z" in encoding else encoding["mean"]
    assert differ(page.images("#own-back"), shown(demo.decode(z, 1.0, [2]))) <= 1
    if model == "glow":
        assert differ(page.images("#own-back"), shown(image)) <= 1
        (log_prob,) = demo.run.log_prob(torch.from_numpy(image), labels=2).tolist()
        assert page.text("own-bits") == f"{4 - log_prob / (64 * math.log(2)):.2f} bits/dim"
    else:
        assert not page.page.is_visible("#own-bits")
    page.slide("t", 0.5)
    between = interpolate(z, demo.z(1, 7, 2), 3)[:, 1]
    temperature = (1 + demo.run.spec.temperature) / 2
    expected = shown(demo.decode(between, temperature, [2]))
    assert differ(page.images("#live"), expected) <= 1
    page.page.click("#forget")
    page.settle()
    ends = demo.z(3, 7)[[0, 2]]
    between = interpolate(ends[:1], ends[1:], 3)[:, 1]
    expected = shown(demo.decode(between, demo.run.spec.temperature, [2]))
    assert differ(page.images("#live"), expected) <= 1


def test_bits_per_dim_equal_those_of_the_run_without_noise(trained: Run) -> None:
    """The page computes them from log_prob: P of an image is the density times its bin."""
    from zoo.objectives import discrete_nats

    images = trained.sample(4, seed=1)
    images = trained.as_images((images.numpy() * 255).round().astype(np.uint8))
    levels = (images * 15).round().to(torch.uint8)
    batch = zoo.data.batch.Batch(levels, None, 4)
    nats = discrete_nats(trained.log_prob(images), batch)
    bits = 4 - trained.log_prob(images) / (64 * math.log(2))
    assert torch.allclose(bits, nats / (64 * math.log(2)), atol=1e-5)


def test_an_own_image_is_prepared_like_training_images(glow: Demo, page, tmp_path: Path) -> None:
    """Color, partly transparent, not square, larger: one level off in a few places."""
    y, x = np.mgrid[:90, :61]
    pixels = np.stack([4 * x, 2 * y, 255 - 2 * x - y, np.full_like(x, 255)], -1).clip(0, 255)
    pixels[30:50, 10:30, 3] = 0
    show(page, png(tmp_path, pixels.astype(np.uint8)))
    prepared = Preparation(8, 1)(Image.open(tmp_path / "own.png"), "own.png").copy()
    expected = shown(glow.run.as_images(prepared[None]).numpy())
    off = np.abs(page.images("#own-original").astype(int) - expected.astype(int))
    assert off.max() <= 17
    assert (off > 0).mean() < 0.05


def test_a_file_that_is_not_an_image_is_refused(page, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("no image")
    page.page.set_input_files("#file", tmp_path / "own.txt")
    page.page.wait_for_selector("#own-problem:not([hidden])")
    assert page.text("own-problem").startswith("This browser cannot read own.txt as an image")


SLOW = """() => {
  const real = createImageBitmap;
  const { close } = ImageBitmap.prototype;
  window.freed = 0;
  ImageBitmap.prototype.close = function () {
    window.freed += 1;
    close.call(this);
  };
  window.createImageBitmap = (...options) => {
    window.createImageBitmap = real;
    return new Promise((resolve) => {
      window.finish = async () => resolve(await real(...options));
    });
  };
}"""


def test_the_image_chosen_last_stays(glow: Demo, opened, address: str, tmp_path: Path) -> None:
    page = opened(f"{address}#seed=7")
    page.page.evaluate(SLOW)
    slow = png(tmp_path, np.zeros((8, 8), np.uint8)).rename(tmp_path / "slow.png")
    page.page.set_input_files("#file", slow)
    show(page, png(tmp_path, np.full((8, 8), 255, np.uint8)))
    assert page.page.evaluate("freed") == 1
    page.page.evaluate("finish()")
    page.wait_for("freed === 2")
    page.settle()
    assert (page.images("#own-original") == 255).all()


def test_removing_the_image_restores_both_ends(page, tmp_path: Path) -> None:
    show(page, png(tmp_path, np.zeros((8, 8), np.uint8)))
    page.page.locator("#grid button").nth(0).click()  # A becomes B
    page.page.click("#forget")
    page.settle()
    for end in "AB":
        assert page.page.locator(f"#grid [data-end={end}]").count() == 1


DROP = """async ([kind, base64]) => {
  const dataTransfer = new DataTransfer();
  if (base64) {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    dataTransfer.items.add(new File([bytes], "own.png", { type: "image/png" }));
  }
  const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
  document.getElementById("seed").dispatchEvent(event);
  return event.defaultPrevented;
}"""


def test_an_image_may_be_dropped_anywhere_and_text_is_left_alone(page, tmp_path: Path) -> None:
    image = base64.b64encode(png(tmp_path, np.zeros((8, 8), np.uint8)).read_bytes()).decode()
    assert not page.page.evaluate(DROP, ["dragover", None])
    assert page.page.evaluate(DROP, ["dragover", image])
    assert page.page.evaluate("document.body.className") == "dragging"
    assert page.page.evaluate(DROP, ["drop", image])
    page.page.wait_for_selector("#own-result", state="visible")
    page.settle()
    assert page.page.evaluate("document.body.className") == ""
    assert not page.images("#own-original").any()


def test_an_image_is_prepared_for_a_large_model(page) -> None:
    """It has more pixels than a call may have arguments."""
    result = page.page.evaluate(
        "async () => { const { prepare } = await import('./images.js');"
        " const canvas = new OffscreenCanvas(600, 500); canvas.getContext('2d');"
        " const large = { size: 512, pad: 0, channels: 3 };"
        " const bytes = prepare(canvas.transferToImageBitmap(), large);"
        " return [bytes.length, Math.min(...new Set(bytes))]; }"
    )
    assert result == [3 * 512 * 512, 255]


def test_a_broken_encoder_leaves_the_rest(glow: Demo, chrome, served, tmp_path: Path) -> None:
    shutil.copytree(glow.folder, tmp_path / "page")
    (tmp_path / "page/onnx/encoder.onnx").write_bytes(b"no graph")
    page = browser.Watched(chrome)
    address = served(tmp_path / "page")
    page.open(f"{address}#seed=7")
    page.page.set_input_files("#file", png(tmp_path, np.zeros((8, 8), np.uint8)))
    page.page.wait_for_selector("#own-problem:not([hidden])")
    assert "onnx/encoder.onnx is not a graph" in page.text("own-problem")
    page.slide("temperature", 0.25)
    images = page.images("#grid canvas")
    assert differ(images, glow.samples(len(images), 7, 0.25)) <= 1
    page.close()


def test_a_model_without_an_encoder_asks_for_no_image(
    glow: Demo, opened, served, tmp_path: Path
) -> None:
    shutil.copytree(glow.run.path, tmp_path / "run")
    (tmp_path / "run/onnx/encoder.onnx").unlink()
    write(tmp_path / "run", tmp_path / "page", browser.ort())
    address = served(tmp_path / "page")
    assert not opened(address).page.is_visible("#own")
