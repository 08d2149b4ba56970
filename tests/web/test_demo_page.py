"""The page of ``zoo demo`` in a real browser: its images equal Python's."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
from demo_pages import SMALL, Demo, differ, shown
from PIL import Image

from zoo.report.grids import grid
from zoo.sampling.interpolation import interpolate
from zoo_web.server import Handler

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

pytest_plugins = ["demo_pages"]
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("handler", [Handler, browser.Plain], ids=["isolated", "plain"])
@pytest.mark.parametrize("model", SMALL)
def test_seed_7_gives_the_images_of_python(demos, opened, served, model: str, handler: Any) -> None:
    demo = demos(model)
    address = served(demo.folder, handler)
    page = opened(f"{address}#seed=7")
    assert page.page.evaluate("crossOriginIsolated") == (handler is Handler)
    images = page.images("#grid canvas")
    assert len(images) >= 24
    assert images.std() > 5
    assert differ(images, demo.samples(len(images), 7, demo.run.spec.temperature)) <= 1


GRAY = "async ({ n }) => new Float32Array(n * 64).fill(0.5)"
SECONDS = {
    "none": "null",
    "gone": "{ sample: () => Promise.reject() }",
    "gray": f"{{ sample: {GRAY} }}",
}


@pytest.mark.parametrize("kind", SECONDS)
def test_a_second_worker_computes_half_and_may_fail(
    glow: Demo, opened, served, tmp_path: Path, kind: str
) -> None:
    folder = shutil.copytree(glow.folder, tmp_path / "demo")
    second = f"export const pays = () => true, second = async () => ({SECONDS[kind]});"
    (folder / "second.js").write_text(second)
    address = served(folder)
    images = opened(f"{address}#seed=7").images("#grid canvas")
    samples = glow.samples(len(images), 7, glow.run.spec.temperature)
    gray = [kind == "gray" and (image == 128).all() for image in images]
    assert differ(images[np.logical_not(gray)], samples[np.logical_not(gray)]) <= 1
    assert (not any(gray)) if kind != "gray" else 0.3 < np.mean(gray) <= 0.5


def test_seed_temperature_and_class_change_the_samples(glow: Demo, page) -> None:
    before = page.images("#grid canvas")
    n = len(before)
    page.slide("temperature", 0.25)
    cold = page.images("#grid canvas")
    assert differ(cold, glow.samples(n, 7, 0.25)) <= 1
    assert differ(cold, before) > 10
    page.page.select_option("#class-choice", label="3")
    page.settle()
    threes = page.images("#grid canvas")
    assert differ(threes, glow.samples(n, 7, 0.25, np.full(n, 3))) <= 1
    assert differ(threes, cold) > 10
    page.page.fill("#seed", str(2**64 - 1))
    page.settle()
    last = page.images("#grid canvas")
    assert differ(last, glow.samples(n, 2**64 - 1, 0.25, np.full(n, 3))) <= 1
    assert differ(last, threes) > 10
    page.page.click("#another")
    page.settle()
    seed = int(page.page.input_value("#seed"))
    assert differ(page.images("#grid canvas"), glow.samples(n, seed, 0.25, np.full(n, 3))) <= 1


NAMES = ["cat", "dog & <b>wolf</b>", "caf\u00e9", 9 * "a long name ", *map(str, range(6, 0, -1))]


def test_classes_are_chosen_and_linked_by_name(glow: Demo, opened, served, tmp_path: Path) -> None:
    folder = shutil.copytree(glow.folder, tmp_path / "demo")
    model = json.loads((folder / "model.json").read_text("utf-8"))
    assert model["class_names"] == [str(digit) for digit in range(10)]
    (folder / "model.json").write_text(json.dumps(model | {"class_names": NAMES}))
    address = served(folder)
    page = opened(f"{address}#seed=7&label=caf\u00e9")
    count = len(page.images("#grid canvas"))
    expected = glow.samples(count, 7, 0.7, np.full(count, 2))
    assert differ(page.images("#grid canvas"), expected) <= 1
    options = page.page.locator("#class-choice option").all_text_contents()
    assert options == ["All in turn", *NAMES]
    assert page.page.locator("#own-label option").all_text_contents() == NAMES
    page.page.select_option("#class-choice", label=NAMES[1])
    page.settle()
    expected = glow.samples(count, 7, 0.7, np.full(count, 1))
    assert differ(page.images("#grid canvas"), expected) <= 1
    assert NAMES[1] in page.page.get_attribute("#grid button", "aria-label")
    page.wait_for("/label=dog.*wolf/.test(location.hash)")
    link = page.page.evaluate("location.href")
    again = opened(link)
    assert differ(again.images("#grid canvas"), expected) <= 1
    again.page.set_viewport_size({"width": 390, "height": 844})
    again.page.evaluate("document.getElementById('own-result').hidden = false")
    assert again.page.evaluate("document.documentElement.scrollWidth") == 390
    # An index that is not a name is ignored, and the samples cycle through the classes.
    turns = opened(f"{address}#seed=7&label=0").images("#grid canvas")
    assert differ(turns, glow.samples(count, 7, 0.7)) <= 1


def test_an_invalid_seed_shows_an_error_and_changes_nothing(page) -> None:
    before = page.images("#grid canvas")
    for text in ("-1", "1.5", str(2**64)):
        page.page.fill("#seed", text)
        page.settle()
        assert page.page.is_visible("#seed-problem")
        assert differ(page.images("#grid canvas"), before) == 0
    page.page.fill("#seed", "7")
    assert not page.page.is_visible("#seed-problem")


def test_interpolation_follows_the_great_circle(glow: Demo, page) -> None:
    page.page.locator("#grid button").nth(4).click()
    page.page.locator("#grid button").nth(9).click()
    page.slide("t", 0.25)
    ends = glow.z(10, 7)[[4, 9]]
    path = interpolate(ends[:1], ends[1:], 101)[0, 25][None]
    assert differ(page.images("#live"), shown(glow.decode(path, 0.7, [4]))) <= 1
    images = page.images("#strip canvas")
    path = interpolate(ends[:1], ends[1:], 7)[0]
    labels = [4, 4, 4, 9, 9, 9, 9]
    assert differ(images, shown(glow.decode(path, 0.7, labels))) <= 1
    assert differ(images[[0, 6]], glow.samples(10, 7, 0.7)[[4, 9]]) <= 1


def test_the_last_value_of_a_dragged_slider_wins(glow: Demo, chrome, address: str) -> None:
    page = browser.Watched(chrome)
    page.page.add_init_script(
        "window.updates = 0; const Real = Worker; window.Worker = class extends Real {"
        " constructor(...options) { super(...options); this.addEventListener('message',"
        " ({ data }) => { if (data.kind === 'morph') window.updates += 1; }); } };"
    )
    page.open(f"{address}#seed=7")
    page.page.evaluate("window.updates = 0")
    page.page.evaluate(
        "for (let i = 0; i <= 200; i++) { const t = document.getElementById('t');"
        " t.value = i / 200; t.dispatchEvent(new Event('input')); }"
    )
    page.settle()
    assert differ(page.images("#live"), glow.samples(2, 7, 0.7)[1:]) <= 1
    assert 1 <= page.page.evaluate("window.updates") < 50
    assert page.problems == []
    page.close()


def test_a_link_carries_the_settings(glow: Demo, opened, address: str) -> None:
    page = opened(f"{address}#seed=21&temperature=0.40&label=3&a=5&b=6&t=0.250")
    images = page.images("#grid canvas")
    assert differ(images, glow.samples(len(images), 21, 0.4, np.full(len(images), 3))) <= 1
    assert page.page.input_value("#seed") == "21"
    assert page.page.get_attribute("#grid button:nth-child(6)", "data-end") == "A"
    live = page.images("#live")
    page.page.fill("#seed", "22")
    page.slide("t", 0.75)
    page.wait_for("/seed=22.*t=0.750/.test(location.hash)")
    link = page.page.evaluate("location.href")
    again = opened(link)
    assert differ(again.images("#live"), page.images("#live")) == 0
    assert differ(again.images("#live"), live) > 0
    assert differ(again.images("#grid canvas"), page.images("#grid canvas")) == 0


def test_a_truncated_link_keeps_the_rest(glow: Demo, page) -> None:
    page.page.evaluate("location.hash = '#seed=21&temperature=%'")
    page.wait_for("document.getElementById('seed').value === '21'")
    page.settle()
    images = page.images("#grid canvas")
    assert differ(images, glow.samples(len(images), 21, 0.7)) <= 1


def test_images_are_saved_as_png(glow: Demo, page) -> None:
    columns = int(page.page.get_attribute("#grid", "data-columns"))
    pixels = page.images("#grid canvas")
    with page.page.expect_download() as waiting:
        page.page.click("#save-grid")
    assert waiting.value.suggested_filename == "glow-7.png"
    saved = Image.open(waiting.value.path()).convert("RGB")
    expected = grid(pixels.transpose(0, 3, 1, 2) / 255, columns)
    assert differ(np.asarray(saved), np.asarray(expected)) == 0
    with page.page.expect_download() as waiting:
        page.page.click("#save-image")
    saved = Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes())).convert("RGB")
    assert saved.size == (256, 256)
    assert differ(np.asarray(saved)[16::32, 16::32][None], page.images("#live")) == 0


def test_the_keyboard_replaces_the_mouse(page) -> None:
    columns = int(page.page.get_attribute("#grid", "data-columns"))
    page.page.focus("#grid button[tabindex='0']")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.page.keyboard.press(key)
    page.settle()
    chosen = page.page.locator("#grid button").nth(columns + 1)
    assert chosen.get_attribute("aria-pressed") == "true"
    assert "end A" in chosen.get_attribute("aria-label")
    assert chosen.evaluate("cell => getComputedStyle(cell).outlineWidth") == "3px"
    nameless = page.page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter(control => "
        "!(control.ariaLabel || control.textContent.trim() ||"
        " control.labels?.[0]?.textContent.trim()))"
        ".map(control => control.outerHTML)"
    )
    assert nameless == []


def test_the_keyboard_reaches_a_grid_of_any_size(page) -> None:
    page.page.focus("#grid button[tabindex='0']")
    page.page.keyboard.press("Alt+ArrowDown")  # the browser's
    assert page.page.evaluate("document.activeElement.getAttribute('tabindex')") == "0"
    assert page.page.evaluate("document.activeElement.previousElementSibling") is None
    page.page.keyboard.press("End")
    before = page.page.locator("#grid button").count()
    assert page.page.locator("#grid button").last.get_attribute("tabindex") == "0"
    page.page.set_viewport_size({"width": 390, "height": 600})
    page.settle()
    assert page.page.locator("#grid button").count() < before
    assert page.page.locator("#grid button[tabindex='0']").count() == 1


def test_playing_leaves_a_half_typed_seed_alone(page) -> None:
    page.page.fill("#seed", "-1")
    at = page.page.input_value("#t")
    page.page.click("#play")
    page.wait_for("at => document.getElementById('t').value !== at", at)
    page.page.click("#play")
    page.settle()
    assert page.page.input_value("#seed") == "-1"
    assert page.page.is_visible("#seed-problem")


HOLD = """
  const Real = Worker;
  window.held = null;
  window.Worker = class extends Real {
    set onmessage(handle) {
      super.onmessage = (event) => {
        if (window.held && event.data.kind === "grid") window.held.push(() => handle(event));
        else handle(event);
      };
    }
  };
"""


@pytest.mark.parametrize("work", [6e7, 5e9])
def test_a_slow_model_shows_fewer_and_larger_images(
    glow: Demo, page, opened, served, tmp_path: Path, work: float
) -> None:
    folder = shutil.copytree(glow.folder, tmp_path / "demo")
    model = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(model | {"multiply_adds": work}))
    side = "document.querySelector('#grid canvas').clientWidth"
    usual = page.page.evaluate(side)
    address = served(folder)
    slow = opened(f"{address}#seed=7")
    images = slow.images("#grid canvas")
    assert 8 <= len(images) <= max(12, 7.5e8 / work)
    assert slow.page.evaluate(side) > usual
    assert differ(images, glow.samples(len(images), 7, 0.7)) <= 1


@pytest.mark.parametrize(
    ("paper", "link"),
    [
        (
            "https://arxiv.org@evil.example/1",
            ["Paper (evil.example)", "https://arxiv.org@evil.example/1"],
        ),
        ("http://evil.example/", []),
    ],
)
def test_the_link_to_a_paper_says_where_it_leads(
    glow: Demo, opened, served, tmp_path: Path, paper: str, link: list[str]
) -> None:
    folder = shutil.copytree(glow.folder, tmp_path / "demo")
    model = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(model | {"paper": paper}))
    page = opened(f"{served(folder)}#seed=7")
    links = "[...document.querySelectorAll('#facts a')].flatMap((a) => [a.textContent, a.href])"
    assert page.page.evaluate(links) == link


SEEN = "Number(getComputedStyle(document.querySelector('#grid canvas')).opacity)"


def test_fast_updates_are_never_dimmed(page) -> None:
    page.page.evaluate(
        """window.dimmed = 0;
        document.addEventListener("transitionrun", () => (dimmed += 1), true);"""
    )
    for seed in ("8", "9", "10"):
        page.page.fill("#seed", seed)
        page.settle()
    assert page.page.evaluate("dimmed") == 0


def test_old_images_are_dimmed_during_a_slow_update(glow: Demo, chrome, address: str) -> None:
    page = browser.Watched(chrome)
    page.page.add_init_script(HOLD)
    page.open(f"{address}#seed=7")
    n = page.page.locator("#grid canvas").count()
    assert page.text("status").startswith(f"{n} images in ")
    page.page.evaluate("held = []")
    page.page.fill("#seed", "8")
    page.wait_for("document.getElementById('progress').textContent === 'Generating'")
    assert page.text("status") == ""
    assert page.page.locator("#grid canvas.waiting").count() == n
    page.wait_for(f"{SEEN} < 0.4")
    page.page.fill("#seed", "9")
    page.page.evaluate("[held, waited] = [null, held]; waited.forEach((handle) => handle())")
    page.settle()
    assert page.page.locator("canvas.waiting").count() == 0
    assert page.page.evaluate(SEEN) == 1
    assert page.text("progress") == ""
    assert differ(page.images("#grid canvas"), glow.samples(n, 9, 0.7)) <= 1
    assert page.problems == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_fits_on_a_phone(opened, address: str, scheme: str) -> None:
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


def test_a_phone_whose_address_bar_moves_keeps_its_images(opened, address: str) -> None:
    phone = {"is_mobile": True, "has_touch": True, "device_scale_factor": 3}
    page = opened(address, viewport={"width": 390, "height": 1000}, **phone)
    before = page.page.locator("#grid button").count()
    for height, same in ((900, True), (600, False)):
        page.page.set_viewport_size({"width": 390, "height": height})
        page.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        page.settle()
        assert (page.page.locator("#grid button").count() == before) == same
