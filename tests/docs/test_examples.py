"""The apps in examples/ generate the same images as genzoo, without importing it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest

import zoo
from zoo.report.grids import to_bytes
from zoo.run import Run
from zoo.sampling import latents

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx import OnnxModel
from zoo_web.folder import ORT_CDN, ORT_FILES

EXAMPLES = browser.ROOT / "examples"
MODELS = ("glow", "dcgan", "nice")  # latents normal, with a label; uniform; logistic
LARGE = 2**64 - 1
"""A 64-bit seed that float64 cannot represent."""


@pytest.fixture(params=MODELS)
def run(request: pytest.FixtureRequest, exported: Callable[[str], Run]) -> Run:
    return exported(request.param)


@pytest.fixture(scope="module")
def color_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model with three different channels."""
    run = zoo.train(
        "vae",
        steps=4,
        config={"width": 16, "depth": 1, "data.channels": 3},
        out=tmp_path_factory.mktemp("color") / "vae-digits",
        device="cpu",
        quiet=True,
    )
    run.export(graph="sampler")
    return run


def sampler(run: Run) -> Path:
    return run.path / "onnx" / "sampler.onnx"


def samples(run: Run, n: int, seed: int, temperature: float | None = None) -> Any:
    return OnnxModel.load(run.path, "cpu").sample(n, seed=seed, temperature=temperature)


def tiled(images: Any, columns: int) -> Any:
    """Images ``[N, C, H, W]`` in full rows: uint8 ``[rows * H, columns * W, 3]``."""
    pixels = to_bytes(images)
    rows = [np.concatenate(pixels[i : i + columns], 1) for i in range(0, len(pixels), columns)]
    return np.repeat(np.concatenate(rows), 3 // pixels.shape[-1], -1)


def read_ppm(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PPM", "RGB")
        return np.asarray(image)


def max_difference(actual: Any, expected: Any) -> int:
    assert actual.shape == expected.shape
    return int(np.abs(actual.astype(int) - expected.astype(int)).max())


def app(*command: object) -> str:
    process = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def python(*arguments: object) -> str:
    """Runs sample.py in a new process, which prints the imported modules of genzoo and torch."""
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="
        "'__main__'); print([m for m in ('torch', 'zoo', 'zoo_onnx') if m in sys.modules])"
    )
    return app(sys.executable, "-c", code, EXAMPLES / "python/sample.py", *arguments)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs sample.mjs, in a copy of its folder with a link to onnxruntime-node."""
    program, modules = browser.node(), browser.ort_node()
    folder = tmp_path_factory.mktemp("node") / "node"
    shutil.copytree(EXAMPLES / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(modules)
    return lambda *arguments: app(program, folder / "sample.mjs", *arguments)


def test_the_python_app_matches_genzoo_without_importing_it(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "images.npy"
    modules = python(sampler(run), "--seed", LARGE, "-n", 12, "-o", out)
    assert modules == "[]\n"
    images = np.load(out)
    assert images.dtype == np.float32
    assert np.allclose(images, samples(run, 12, LARGE), rtol=0, atol=1e-4)


def test_the_node_app_matches_genzoo(run: Run, node: Callable[..., str], tmp_path: Path) -> None:
    out = tmp_path / "images.f32"
    node(sampler(run), "--seed", LARGE, "-n", 12, "-o", out)
    expected = samples(run, 12, LARGE)
    images = np.fromfile(out, np.float32).reshape(expected.shape)
    assert np.allclose(images, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("language", ["python", "node"])
def test_grids_at_another_temperature(
    request: pytest.FixtureRequest, exported: Callable[[str], Run], tmp_path: Path, language: str
) -> None:
    run, out = exported("glow"), tmp_path / "grid.ppm"
    app = python if language == "python" else request.getfixturevalue("node")
    app(sampler(run), "--seed", 7, "-n", 8, "--temperature", 0.25, "-o", out)
    grid = read_ppm(out)
    assert max_difference(grid[:, :16], tiled(samples(run, 8, 7, 0.25)[[0, 1, 3, 4, 6, 7]], 2)) <= 1
    assert max_difference(grid[:16, 16:], tiled(samples(run, 8, 7, 0.25)[[2, 5]], 1)) <= 1
    assert not grid[16:, 16:].any()


@pytest.mark.parametrize("language", ["python", "node"])
def test_grids_in_color(
    request: pytest.FixtureRequest, color_run: Run, tmp_path: Path, language: str
) -> None:
    out = tmp_path / "grid.ppm"
    app = python if language == "python" else request.getfixturevalue("node")
    app(sampler(color_run), "--seed", 7, "-o", out)
    expected = tiled(samples(color_run, 16, 7), 4)
    assert max_difference(expected[..., 0], expected[..., 2]) > 10
    assert max_difference(read_ppm(out), expected) <= 1


_LISTEN = """async address => {
  const { InferenceSession } = await import(address);
  const { run } = InferenceSession.prototype;
  InferenceSession.prototype.run = async function (...feeds) {
    const outputs = await run.apply(this, feeds);
    window.image = outputs.image;
    return outputs;
  };
}"""


class ExamplePage:
    """The page in a browser, and the output of its graph."""

    def __init__(self, page: browser.Watched, address: str) -> None:
        self.page = page.open(address)
        page.page.evaluate(_LISTEN, f"{ORT_CDN}{ORT_FILES[0]}")  # the module that the page imports

    def sample(self, seed: int) -> tuple[Any, Any]:
        """The images for ``seed``: the graph's output, float32 ``[16, C, H, W]``, and the pixels of
        the canvas, uint8 ``[4 * H, 4 * W, 3]``."""
        self.page.page.evaluate("delete window.image")
        self.page.page.fill("#seed", str(seed))
        self.page.settle()
        images = self.page.page.evaluate("[image.type, image.dims, [...image.data]]")
        assert images[0] == "float32"
        (pixels,) = self.page.images("canvas")
        return np.array(images[2], np.float32).reshape(images[1]), pixels


def check_page(example: ExamplePage, run: Run, seed: int) -> None:
    """Compares the graph's output with Python, and the canvas with the output."""
    images, pixels = example.sample(seed)
    expected = samples(run, 16, seed)
    assert images.shape == expected.shape
    assert np.abs(images - expected).max() <= 1e-4
    assert max_difference(pixels, tiled(images, 4)) == 0


@pytest.fixture
def page(chrome: Any) -> Iterator[browser.Watched]:
    watched = browser.Watched(chrome)
    watched.serve(ORT_CDN)
    yield watched
    watched.close()


def with_page(run: Run, folder: Path) -> Path:
    """Copies the page and the model's graph to ``folder``."""
    shutil.copytree(EXAMPLES / "page", folder)
    for name in ("sampler.onnx", "sampler.json"):
        shutil.copy(run.path / "onnx" / name, folder)
    return folder


@pytest.mark.browser
def test_the_page_matches_genzoo(run: Run, page: browser.Watched, tmp_path: Path) -> None:
    with browser.served(with_page(run, tmp_path / "page")) as address:
        example = ExamplePage(page, address)
        for seed in (7, LARGE):
            check_page(example, run, seed)
        page.page.fill("#seed", "-1")
        page.settle()
        assert page.text("error") == "the seed must be from 0 to 2^64 - 1, got -1"
        assert page.problems == []


@pytest.mark.browser
def test_the_page_shows_color_images(color_run: Run, page: browser.Watched, tmp_path: Path) -> None:
    with browser.served(with_page(color_run, tmp_path / "page")) as address:
        check_page(ExamplePage(page, address), color_run, 7)
        assert page.problems == []


@pytest.mark.browser
def test_the_page_reports_a_missing_file(
    exported: Callable[[str], Run], page: browser.Watched, tmp_path: Path
) -> None:
    folder = with_page(exported("glow"), tmp_path / "page")
    (folder / "sampler.onnx").unlink()
    with browser.served(folder) as address:
        assert "sampler.onnx" in page.open(address).text("error")


@pytest.mark.parametrize("distribution", ["normal", "uniform", "logistic"])
def test_latents_match_genzoo_for_every_seed_and_size(tmp_path: Path, distribution: str) -> None:
    seeds = (0, 7, 2**32, 2**53 + 1, LARGE)
    shutil.copy(EXAMPLES / "node/latents.js", tmp_path / "latents.mjs")
    (tmp_path / "main.mjs").write_text(
        'import { latents } from "./latents.mjs";\n'
        f"for (const seed of [{', '.join(f'{seed}n' for seed in seeds)}])\n"
        f'  process.stdout.write(Buffer.from(latents(20, 1023, "{distribution}", seed).buffer));\n'
    )
    command = [browser.node(), tmp_path / "main.mjs"]
    output = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    actual = np.frombuffer(output, np.float32).reshape(-1, 20, 1023)
    expected = np.stack([latents.draw(20, 1023, distribution, seed) for seed in seeds])  # type: ignore[arg-type]
    bits = actual.view(np.int32).astype(np.int64) - expected.view(np.int32)
    assert np.abs(bits).max() <= 1, "more than the last bit"
    assert (bits != 0).mean() < 1e-3


def test_node_and_page_share_one_latents_file() -> None:
    node, page = EXAMPLES / "node/latents.js", EXAMPLES / "page/latents.js"
    assert node.read_bytes() == page.read_bytes()


def test_onnxruntime_versions_are_those_of_the_exporters() -> None:
    version = ORT_CDN.rstrip("/").split("@")[1].split("/")[0]
    assert ORT_CDN in (EXAMPLES / "page/index.html").read_text("utf-8")
    assert f'"onnxruntime-node": "{version}"' in (EXAMPLES / "node/package.json").read_text("utf-8")
