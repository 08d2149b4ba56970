"""The apps in examples/ draw from exported graphs what genzoo draws, and have no genzoo in them."""

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
"""A seed of which every bit counts, which no float64 holds."""


@pytest.fixture(params=MODELS)
def run(request: pytest.FixtureRequest, exported: Callable[[str], Run]) -> Run:
    return exported(request.param)


@pytest.fixture(scope="module")
def colored(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model of three channels that are not the same."""
    run = zoo.train(
        "vae",
        steps=4,
        config={"width": 16, "depth": 1, "data.channels": 3},
        out=tmp_path_factory.mktemp("coloured") / "vae-digits",
        device="cpu",
        quiet=True,
    )
    run.export(graph="sampler")
    return run


def sampler(run: Run) -> Path:
    return run.path / "onnx" / "sampler.onnx"


def drawn(run: Run, n: int, seed: int, temperature: float | None = None) -> Any:
    return OnnxModel.load(run.path, "cpu").sample(n, temperature, seed)


def sheet(images: Any, columns: int) -> Any:
    """Pictures ``[N, C, H, W]`` in full rows: uint8 ``[rows * H, columns * W, 3]``."""
    whole = to_bytes(images)
    rows = [np.concatenate(whole[i : i + columns], 1) for i in range(0, len(whole), columns)]
    return np.repeat(np.concatenate(rows), 3 // whole.shape[-1], -1)


def read_ppm(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PPM", "RGB")
        return np.asarray(image)


def differ(one: Any, other: Any) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def app(*command: object) -> str:
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(*arguments: object) -> str:
    """draw.py in a process of its own; what it says is which of genzoo and torch it imported."""
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="
        "'__main__'); print([one for one in ('torch', 'zoo', 'zoo_onnx') if one in sys.modules])"
    )
    return app(sys.executable, "-c", code, EXAMPLES / "python/draw.py", *arguments)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """draw.mjs, in a copy of its folder that onnxruntime-node is found from."""
    program, modules = browser.node(), browser.ort_node()
    folder = tmp_path_factory.mktemp("node") / "node"
    shutil.copytree(EXAMPLES / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(modules)
    return lambda *arguments: app(program, folder / "draw.mjs", *arguments)


def test_python_draws_what_genzoo_draws_without_it(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "pictures.npy"
    said = python(sampler(run), "--seed", LARGE, "-n", 12, "-o", out)
    assert said == "[]\n"
    found = np.load(out)
    assert found.dtype == np.float32
    assert np.allclose(found, drawn(run, 12, LARGE), rtol=0, atol=1e-4)


def test_node_draws_what_genzoo_draws(run: Run, node: Callable[..., str], tmp_path: Path) -> None:
    out = tmp_path / "pictures.f32"
    node(sampler(run), "--seed", LARGE, "-n", 12, "-o", out)
    wanted = drawn(run, 12, LARGE)
    found = np.fromfile(out, np.float32).reshape(wanted.shape)
    assert np.allclose(found, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("language", ["python", "node"])
def test_a_grid_at_another_temperature(
    request: pytest.FixtureRequest, exported: Callable[[str], Run], tmp_path: Path, language: str
) -> None:
    run, out = exported("glow"), tmp_path / "grid.ppm"
    draw = python if language == "python" else request.getfixturevalue("node")
    draw(sampler(run), "--seed", 7, "-n", 8, "--temperature", 0.25, "-o", out)
    found = read_ppm(out)
    assert differ(found[:, :16], sheet(drawn(run, 8, 7, 0.25)[[0, 1, 3, 4, 6, 7]], 2)) <= 1
    assert differ(found[:16, 16:], sheet(drawn(run, 8, 7, 0.25)[[2, 5]], 1)) <= 1
    assert not found[16:, 16:].any()


@pytest.mark.parametrize("language", ["python", "node"])
def test_a_grid_in_color(
    request: pytest.FixtureRequest, colored: Run, tmp_path: Path, language: str
) -> None:
    out = tmp_path / "grid.ppm"
    draw = python if language == "python" else request.getfixturevalue("node")
    draw(sampler(colored), "--seed", 7, "-o", out)
    wanted = sheet(drawn(colored, 16, 7), 4)
    assert differ(wanted[..., 0], wanted[..., 2]) > 10
    assert differ(read_ppm(out), wanted) <= 1


_LISTEN = """async address => {
  const { InferenceSession } = await import(address);
  const { run } = InferenceSession.prototype;
  InferenceSession.prototype.run = async function (...given) {
    const outputs = await run.apply(this, given);
    window.image = outputs.image;
    return outputs;
  };
}"""


class Opened:
    """The page in a browser, and the pictures that its graph gives it."""

    def __init__(self, page: browser.Watched, address: str) -> None:
        self.page = page.open(address)
        page.page.evaluate(_LISTEN, f"{ORT_CDN}{ORT_FILES[0]}")  # the module that the page has too

    def draws(self, seed: int) -> tuple[Any, Any]:
        """What the page draws of ``seed``: the graph's float32 ``[16, C, H, W]``, and the pixels of
        its canvas, uint8 ``[4 * H, 4 * W, 3]``."""
        self.page.page.evaluate("delete window.image")
        self.page.page.fill("#seed", str(seed))
        self.page.settle()
        images = self.page.page.evaluate("[image.type, image.dims, [...image.data]]")
        assert images[0] == "float32"
        (pixels,) = self.page.pictures("canvas")
        return np.array(images[2], np.float32).reshape(images[1]), pixels


def check_page(opened: Opened, run: Run, seed: int) -> None:
    """The floats are Python's, and the canvas shows them."""
    images, pixels = opened.draws(seed)
    wanted = drawn(run, 16, seed)
    assert images.shape == wanted.shape
    assert np.abs(images - wanted).max() <= 1e-4
    assert differ(pixels, sheet(images, 4)) == 0


@pytest.fixture
def page(chrome: Any) -> Iterator[browser.Watched]:
    watched = browser.Watched(chrome)
    watched.serve(ORT_CDN)
    yield watched
    watched.close()


def with_page(run: Run, folder: Path) -> Path:
    """A copy of the page, with a model beside it."""
    shutil.copytree(EXAMPLES / "page", folder)
    for name in ("sampler.onnx", "sampler.json"):
        shutil.copy(run.path / "onnx" / name, folder)
    return folder


@pytest.mark.browser
def test_the_page_draws_what_genzoo_draws(run: Run, page: browser.Watched, tmp_path: Path) -> None:
    with browser.served(with_page(run, tmp_path / "page")) as address:
        opened = Opened(page, address)
        for seed in (7, LARGE):
            check_page(opened, run, seed)
        page.page.fill("#seed", "-1")
        page.settle()
        assert page.text("problem") == "the seed must be from 0 to 2^64 - 1, got -1"
        assert page.problems == []


@pytest.mark.browser
def test_the_page_draws_in_color(colored: Run, page: browser.Watched, tmp_path: Path) -> None:
    with browser.served(with_page(colored, tmp_path / "page")) as address:
        check_page(Opened(page, address), colored, 7)
        assert page.problems == []


@pytest.mark.browser
def test_the_page_says_that_a_file_is_missing(
    exported: Callable[[str], Run], page: browser.Watched, tmp_path: Path
) -> None:
    folder = with_page(exported("glow"), tmp_path / "page")
    (folder / "sampler.onnx").unlink()
    with browser.served(folder) as address:
        assert "sampler.onnx" in page.open(address).text("problem")


@pytest.mark.parametrize("distribution", ["normal", "uniform", "logistic"])
def test_latents_of_every_seed_and_size_are_those_of_genzoo(
    tmp_path: Path, distribution: str
) -> None:
    seeds = (0, 7, 2**32, 2**53 + 1, LARGE)
    shutil.copy(EXAMPLES / "node/latents.js", tmp_path / "latents.mjs")
    (tmp_path / "main.mjs").write_text(
        'import { latents } from "./latents.mjs";\n'
        f"for (const seed of [{', '.join(f'{seed}n' for seed in seeds)}])\n"
        f'  process.stdout.write(Buffer.from(latents(20, 1023, "{distribution}", seed).buffer));\n'
    )
    command = [browser.node(), tmp_path / "main.mjs"]
    said = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    found = np.frombuffer(said, np.float32).reshape(-1, 20, 1023)
    wanted = np.stack([latents.draw(20, 1023, distribution, seed) for seed in seeds])  # type: ignore[arg-type]
    bits = found.view(np.int32).astype(np.int64) - wanted.view(np.int32)
    assert np.abs(bits).max() <= 1, "more than the last bit"
    assert (bits != 0).mean() < 1e-3


def test_node_and_page_have_the_same_latents() -> None:
    node, page = EXAMPLES / "node/latents.js", EXAMPLES / "page/latents.js"
    assert node.read_bytes() == page.read_bytes()


def test_versions_are_those_that_genzoo_is_tested_with() -> None:
    version = ORT_CDN.rstrip("/").split("@")[1].split("/")[0]
    assert ORT_CDN in (EXAMPLES / "page/index.html").read_text("utf-8")
    assert f'"onnxruntime-node": "{version}"' in (EXAMPLES / "node/package.json").read_text("utf-8")
