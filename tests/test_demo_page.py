"""The page of ``zoo demo`` in a real browser: what it draws is what Python draws."""

from __future__ import annotations

import io
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo import latents
from zoo.data.prepare import Preparation
from zoo.interpolation import walk
from zoo.pictures import grid, to_bytes
from zoo.run import Run

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx.export import export  # noqa: E402
from zoo_onnx.session import open_session  # noqa: E402
from zoo_web.folder import ORT_CDN, ORT_FILES, write  # noqa: E402
from zoo_web.server import Handler  # noqa: E402

pytestmark = pytest.mark.browser

SMALL: dict[str, dict[str, Any]] = {
    "glow": {"levels": 2, "depth": 2, "width": 16, "conditional": True},
    "vae": {"width": 16, "depth": 1, "data.channels": 3},
}


class Demo:
    """A run, its page in a folder, and the same graphs in Python's onnxruntime."""

    def __init__(self, run: Run, ort: Path) -> None:
        self.run = run
        self.folder = write(run.path, run.path / "demo", ort)
        self.sampler = open_session(run.path / "onnx" / "sampler.onnx", "cpu")
        self.encoder = open_session(run.path / "onnx" / "encoder.onnx", "cpu")

    def z(self, n: int, seed: int, first: int = 0) -> Any:
        return latents.draw(n, self.run.latent.size, self.run.latent.distribution, seed, first)

    def decode(self, z: Any, temperature: float, labels: Any) -> Any:
        feeds = {"z": z, "temperature": np.array(temperature, np.float32)}
        if self.run.latent.classes:
            feeds["label"] = np.array(labels, np.int64)
        return self.sampler.run(["image"], feeds)[0]

    def draws(self, n: int, seed: int, temperature: float, labels: Any = None) -> Any:
        """Bytes ``[n, S, S, 3]``, as they should stand in the page."""
        labels = np.arange(n) % 10 if labels is None else labels
        return shown(self.decode(self.z(n, seed), temperature, labels))


def shown(images: Any) -> Any:
    return np.broadcast_to(to_bytes(images), (len(images), 8, 8, 3))


def differ(one: Any, other: Any) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Demo]:
    made: dict[str, Demo] = {}
    ort = browser.ort()

    def get(model: str) -> Demo:
        if model not in made:
            folder = tmp_path_factory.mktemp("demos") / f"{model}-digits"
            run = zoo.train(
                model, steps=40, config=SMALL[model], out=folder, device="cpu", quiet=True
            )
            if model == "glow":  # so that the class is seen
                torch.manual_seed(0)
                with torch.no_grad():
                    for parameter in run.network.prior.parameters():  # type: ignore[union-attr]
                        parameter.add_(0.5 * torch.randn_like(parameter))
            export(run)
            made[model] = Demo(run, ort)
        return made[model]

    return get


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser.chromium() as found:
        yield found


@pytest.fixture
def glow(demos: Callable[[str], Demo]) -> Demo:
    return demos("glow")


@pytest.fixture
def opened(chrome: Any) -> Iterator[Callable[..., browser.Watched]]:
    """Opens pages; nothing may have gone wrong in one when the test ends."""
    made = []

    def get(address: str, **context: Any) -> browser.Watched:
        made.append(browser.Watched(chrome, **context))
        return made[-1].open(address)

    yield get
    for page in made:
        problems = page.problems
        page.close()
        assert problems == []


@pytest.fixture
def address(glow: Demo) -> Iterator[str]:
    with browser.served(glow.folder) as found:
        yield found


@pytest.fixture
def page(opened: Callable[..., browser.Watched], address: str) -> browser.Watched:
    return opened(f"{address}#seed=7")


@pytest.mark.parametrize("handler", [Handler, browser.Plain], ids=["isolated", "plain"])
@pytest.mark.parametrize("model", SMALL)
def test_seed_7_is_what_python_draws(demos, opened, model: str, handler: Any) -> None:
    demo = demos(model)
    with browser.served(demo.folder, handler) as address:
        page = opened(f"{address}#seed=7")
        assert page.page.evaluate("crossOriginIsolated") == (handler is Handler)
        found = page.pictures("#grid canvas")
        assert len(found) >= 24
        assert found.std() > 5
        assert differ(found, demo.draws(len(found), 7, demo.run.spec.temperature)) <= 1


def test_seed_temperature_and_class_change_what_they_should(glow: Demo, page) -> None:
    before = page.pictures("#grid canvas")
    n = len(before)
    page.slide("temperature", 0.25)
    cold = page.pictures("#grid canvas")
    assert differ(cold, glow.draws(n, 7, 0.25)) <= 1
    assert differ(cold, before) > 10
    page.page.get_by_label("3", exact=True).check(force=True)
    page.settle()
    threes = page.pictures("#grid canvas")
    assert differ(threes, glow.draws(n, 7, 0.25, np.full(n, 3))) <= 1
    assert differ(threes, cold) > 10
    page.page.fill("#seed", str(2**64 - 1))
    page.settle()
    last = page.pictures("#grid canvas")
    assert differ(last, glow.draws(n, 2**64 - 1, 0.25, np.full(n, 3))) <= 1
    assert differ(last, threes) > 10
    page.page.click("#another")
    page.settle()
    seed = int(page.page.input_value("#seed"))
    assert differ(page.pictures("#grid canvas"), glow.draws(n, seed, 0.25, np.full(n, 3))) <= 1


def test_a_seed_that_is_none_is_said_and_draws_nothing(page) -> None:
    before = page.pictures("#grid canvas")
    for text in ("-1", "1.5", str(2**64)):
        page.page.fill("#seed", text)
        page.settle()
        assert page.page.is_visible("#seed-problem")
        assert differ(page.pictures("#grid canvas"), before) == 0
    page.page.fill("#seed", "7")
    assert not page.page.is_visible("#seed-problem")


def test_two_pictures_are_walked_between_on_the_great_circle(glow: Demo, page) -> None:
    page.page.locator("#grid button").nth(4).click()
    page.page.locator("#grid button").nth(9).click()
    page.slide("t", 0.25)
    ends = glow.z(10, 7)[[4, 9]]
    path = walk(ends[:1], ends[1:], 101)[0, 25][None]
    assert differ(page.pictures("#live"), shown(glow.decode(path, 0.7, [4]))) <= 1
    found = page.pictures("#strip canvas")
    path = walk(ends[:1], ends[1:], 7)[0]
    labels = [4, 4, 4, 9, 9, 9, 9]
    assert differ(found, shown(glow.decode(path, 0.7, labels))) <= 1
    assert differ(found[[0, 6]], glow.draws(10, 7, 0.7)[[4, 9]]) <= 1


def test_of_a_slider_that_is_dragged_the_last_value_wins(glow: Demo, chrome, address: str) -> None:
    page = browser.Watched(chrome)
    page.page.add_init_script(
        "window.drawn = 0; const Real = Worker; window.Worker = class extends Real {"
        " constructor(...given) { super(...given); this.addEventListener('message',"
        " ({ data }) => { if (data.kind === 'morph') window.drawn += 1; }); } };"
    )
    page.open(f"{address}#seed=7")
    page.page.evaluate("window.drawn = 0")
    page.page.evaluate(
        "for (let i = 0; i <= 200; i++) { const t = document.getElementById('t');"
        " t.value = i / 200; t.dispatchEvent(new Event('input')); }"
    )
    page.settle()
    assert differ(page.pictures("#live"), glow.draws(2, 7, 0.7)[1:]) <= 1
    assert 1 <= page.page.evaluate("window.drawn") < 50
    assert page.problems == []
    page.close()


def png(folder: Path, pixels: Any) -> Path:
    path = folder / "own.png"
    Image.fromarray(pixels).save(path)
    return path


def show(page: browser.Watched, path: Path) -> None:
    page.page.set_input_files("#file", path)
    page.page.wait_for_function("!document.getElementById('own-result').hidden")
    page.settle()


@pytest.mark.parametrize("model", SMALL)
def test_a_picture_of_ones_own_is_encoded_decoded_and_walked_from(
    demos, opened, tmp_path: Path, model: str
) -> None:
    demo = demos(model)
    channels = demo.run.image.channels
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, channels), np.uint8)
    with browser.served(demo.folder) as address:
        page = opened(f"{address}#seed=7&b=2")
        show(page, png(tmp_path, pixels.squeeze()))
        image = demo.run.as_images(pixels.transpose(2, 0, 1)[None].copy()).numpy()
        assert differ(page.pictures("#own-original"), shown(image)) == 0
        feeds = {"image": image}
        if demo.run.latent.classes:
            feeds["label"] = np.array([2])
        names = [one.name for one in demo.encoder.get_outputs()]
        found = dict(zip(names, demo.encoder.run(None, feeds), strict=True))
        z = found["z"] if "z" in found else found["mean"]
        assert differ(page.pictures("#own-back"), shown(demo.decode(z, 1.0, [2]))) <= 1
        if model == "glow":
            assert differ(page.pictures("#own-back"), shown(image)) <= 1
            (log_prob,) = demo.run.log_prob(torch.from_numpy(image), 2).tolist()
            assert page.text("own-bits") == f"{4 - log_prob / (64 * math.log(2)):.2f} bits/dim"
        else:
            assert not page.page.is_visible("#own-bits")
        page.slide("t", 0.5)
        between = walk(z, demo.z(1, 7, 2), 3)[:, 1]
        temperature = (1 + demo.run.spec.temperature) / 2
        expected = shown(demo.decode(between, temperature, [2]))
        assert differ(page.pictures("#live"), expected) <= 1
        page.page.click("#forget")
        page.settle()
        ends = demo.z(3, 7)[[0, 2]]
        between = walk(ends[:1], ends[1:], 3)[:, 1]
        expected = shown(demo.decode(between, demo.run.spec.temperature, [2]))
        assert differ(page.pictures("#live"), expected) <= 1


def test_bits_per_dim_are_those_of_the_run_without_noise(trained: Run) -> None:
    """What the page computes from log_prob: P of a picture is the density times its bin."""
    from zoo.training import discrete_nats

    images = trained.sample(4, seed=1)
    images = trained.as_images((images.numpy() * 255).round().astype(np.uint8))
    levels = (images * 15).round().to(torch.uint8)
    batch = zoo.data.batch.Batch(levels, None, 4)
    nats = discrete_nats(trained.log_prob(images), batch)
    bits = 4 - trained.log_prob(images) / (64 * math.log(2))
    assert torch.allclose(bits, nats / (64 * math.log(2)), atol=1e-5)


def test_any_picture_is_brought_to_the_model_as_training_pictures_are(
    glow: Demo, page, tmp_path: Path
) -> None:
    """Colour, a part that is transparent, not square, larger: one level off in a few places."""
    y, x = np.mgrid[:90, :61]
    pixels = np.stack([4 * x, 2 * y, 255 - 2 * x - y, np.full_like(x, 255)], -1).clip(0, 255)
    pixels[30:50, 10:30, 3] = 0
    show(page, png(tmp_path, pixels.astype(np.uint8)))
    wanted = Preparation(8, 1)(Image.open(tmp_path / "own.png"), "own.png").copy()
    expected = shown(glow.run.as_images(wanted[None]).numpy())
    off = np.abs(page.pictures("#own-original").astype(int) - expected.astype(int))
    assert off.max() <= 17
    assert (off > 0).mean() < 0.05


def test_what_is_no_picture_is_named(page, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("no picture")
    page.page.set_input_files("#file", tmp_path / "own.txt")
    page.page.wait_for_selector("#own-problem:not([hidden])")
    assert page.text("own-problem").startswith("own.txt is no picture")


def test_a_link_carries_the_settings(glow: Demo, opened, address: str) -> None:
    page = opened(f"{address}#seed=21&temperature=0.40&label=3&a=5&b=6&t=0.250")
    found = page.pictures("#grid canvas")
    assert differ(found, glow.draws(len(found), 21, 0.4, np.full(len(found), 3))) <= 1
    assert page.page.input_value("#seed") == "21"
    assert page.page.get_attribute("#grid button:nth-child(6)", "data-end") == "A"
    live = page.pictures("#live")
    page.page.fill("#seed", "22")
    page.slide("t", 0.75)
    page.page.wait_for_function("/seed=22.*t=0.750/.test(location.hash)")
    link = page.page.evaluate("location.href")
    again = opened(link)
    assert differ(again.pictures("#live"), page.pictures("#live")) == 0
    assert differ(again.pictures("#live"), live) > 0
    assert differ(again.pictures("#grid canvas"), page.pictures("#grid canvas")) == 0


def test_pictures_are_kept_as_png(glow: Demo, page) -> None:
    columns = int(page.page.get_attribute("#grid", "data-columns"))
    pixels = page.pictures("#grid canvas")
    with page.page.expect_download() as waiting:
        page.page.click("#save-grid")
    assert waiting.value.suggested_filename == "glow-7.png"
    saved = Image.open(waiting.value.path()).convert("RGB")
    expected = grid(pixels.transpose(0, 3, 1, 2) / 255, columns)
    assert differ(np.asarray(saved), np.asarray(expected)) == 0
    with page.page.expect_download() as waiting:
        page.page.click("#save-picture")
    saved = Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes())).convert("RGB")
    assert saved.size == (256, 256)
    assert differ(np.asarray(saved)[16::32, 16::32][None], page.pictures("#live")) == 0


def test_keys_do_what_the_mouse_does(page) -> None:
    columns = int(page.page.get_attribute("#grid", "data-columns"))
    page.page.focus("#grid button[tabindex='0']")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.page.keyboard.press(key)
    page.settle()
    chosen = page.page.locator("#grid button").nth(columns + 1)
    assert chosen.get_attribute("aria-pressed") == "true"
    assert "end A" in chosen.get_attribute("aria-label")
    assert chosen.evaluate("one => getComputedStyle(one).outlineWidth") == "3px"
    nameless = page.page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter(one => "
        "!(one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim()))"
        ".map(one => one.outerHTML)"
    )
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_room_for_everything(opened, address: str, scheme: str) -> None:
    page = opened(
        address,
        viewport={"width": 390, "height": 844},
        device_scale_factor=3,
        color_scheme=scheme,
    )
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    side = page.page.evaluate("document.querySelector('#grid canvas').clientWidth * 3 / 8")
    assert side == int(side)
    ground = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 200) == (scheme == "dark")


def test_onnxruntime_comes_from_the_cdn_without_ort(glow: Demo, chrome, tmp_path: Path) -> None:
    write(glow.run.path, tmp_path / "page")
    with browser.served(tmp_path / "page", Handler) as address:
        page = browser.Watched(chrome)
        page.serve(ORT_CDN)
        page.open(f"{address}#seed=7")
        found = page.pictures("#grid canvas")
        assert differ(found, glow.draws(len(found), 7, 0.7)) <= 1
        assert page.problems == []
        page.close()


def broken(demo: Demo, chrome: Any, folder: Path, breaking: Callable[[Path], object]) -> Any:
    """A page that something was done to, once it is open."""
    shutil.copytree(demo.folder, folder)
    breaking(folder)
    page = browser.Watched(chrome)
    return page


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
def test_what_is_broken_is_said_in_the_page(glow: Demo, chrome, tmp_path: Path, what: str) -> None:
    breaking, sentence = BREAKS[what]
    page = broken(glow, chrome, tmp_path / "page", breaking)
    page.context.route(f"{ORT_CDN}*", lambda route: route.abort())
    with browser.served(tmp_path / "page") as address:
        page.page.goto(address)
        page.page.wait_for_selector("#problem:not([hidden])")
        assert sentence in page.text("problem")
        page.close()


def test_a_broken_encoder_leaves_the_rest(glow: Demo, chrome, tmp_path: Path) -> None:
    page = broken(
        glow,
        chrome,
        tmp_path / "page",
        lambda folder: (folder / "onnx/encoder.onnx").write_bytes(b"no graph"),
    )
    with browser.served(tmp_path / "page") as address:
        page.open(f"{address}#seed=7")
        page.page.set_input_files("#file", png(tmp_path, np.zeros((8, 8), np.uint8)))
        page.page.wait_for_selector("#own-problem:not([hidden])")
        assert "onnx/encoder.onnx is not a graph" in page.text("own-problem")
        page.slide("temperature", 0.25)
        found = page.pictures("#grid canvas")
        assert differ(found, glow.draws(len(found), 7, 0.25)) <= 1
        page.close()


def test_opened_as_a_file_the_page_says_what_it_needs(glow: Demo, chrome) -> None:
    page = browser.Watched(chrome)
    page.page.goto((glow.folder / "index.html").as_uri())
    page.page.wait_for_selector(".unstarted", state="visible")
    assert "has to come from a web server" in page.page.inner_text(".unstarted")
    page.close()


def test_a_model_that_cannot_encode_asks_for_no_picture(glow: Demo, opened, tmp_path: Path) -> None:
    shutil.copytree(glow.run.path, tmp_path / "run")
    (tmp_path / "run/onnx/encoder.onnx").unlink()
    write(tmp_path / "run", tmp_path / "page", browser.ort())
    with browser.served(tmp_path / "page") as address:
        assert not opened(address).page.is_visible("#own")
