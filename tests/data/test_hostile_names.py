"""A folder of images whose class folders and files have hostile names."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hostile_text import HOSTILE, harmless
from PIL import Image

from zoo.data.tables.table import quiet
from zoo.errors import printable

NAMES = tuple(name.replace("/", "\\").replace("\0", "") for name in HOSTILE)
SMALL = ("--set", "depth=2", "--set", "width=8", "--set", "levels=1", "--set", "conditional=true")


@pytest.fixture
def photos(here: Path) -> str:
    """Photos of ten classes, and files that are left out."""
    random = np.random.default_rng(0)
    folder = here / "photos\x1b[31m\nzoo: all is well"
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        for number in range(6):
            image = Image.fromarray(random.integers(0, 256, (8, 8), np.uint8))
            image.save(folder / name / f"\x1b[2J{number}\nzoo: done.png")
    (folder / "\x1b[2K\nzoo: done.csv").write_text("a,b\n1,2\n")
    return str(folder)


def lines(text: str) -> list[str]:
    assert harmless(text), text
    found = text.splitlines()
    assert not any(line.startswith(("zoo: all", "zoo: done")) for line in found), text
    return found


def test_zoo_data_has_a_line_for_each_class(photos: str, commands) -> None:
    result = commands("data", photos, "-o", "sheet.png")
    assert result.status == 0, result
    lines(result.err)
    shown = lines(result.out)
    for name in NAMES:
        assert sum(line.startswith(printable(name)) for line in shown) == 1
    assert any(line.startswith("left out: the file \\x1b[2K\\nzoo: done.csv, ") for line in shown)
    assert Image.open("sheet.png").size[0] > 100
    document = commands("data", photos, "--json")
    lines(document.out)
    assert {*NAMES} <= {*json.loads(document.out)["class_names"]}


def test_a_run_of_it_says_nothing_else_either(photos: str, commands) -> None:
    result = commands("train", "glow", "--data", photos, *SMALL, "--steps", "2", "--out", "run")
    assert result.status == 0, result
    lines(result.out)
    said = lines(result.err)
    assert sum("10 classes" in line for line in said) == 1
    stored = json.loads(Path("run/config.json").read_text())["image"]["class_names"]
    assert {*NAMES} <= {*stored}
    for arguments in (
        ("sample", "run", "--label", NAMES[2], "-n", "2"),
        ("sample", "run", "--label", "x\x1b\ny"),
        ("evaluate", "run", "--metric", "bits_per_dim"),
        ("reconstruct", "run", "-n", "2"),
        ("reconstruct", "run", f"{photos}/{NAMES[3]}", "-n", "2", "--label", NAMES[3]),
        ("card", "run", "--new"),
        ("verify", "run"),
        ("train", "glow", "--resume", "--out", "run", "--steps", "3"),
        ("demo", "run"),
    ):
        result = commands(*arguments)
        assert result.status == (2 if "x\x1b\ny" in arguments else 0), result
        lines(result.out)
        lines(result.err)


@pytest.mark.parametrize("module", ["datasets.utils.tqdm", "huggingface_hub.utils.tqdm"])
def test_a_progress_bar_of_datasets_shows_a_name_on_its_line(module: str) -> None:
    tqdm = importlib.import_module(module).tqdm
    name, file = "train\x1b[2J\nzoo: done\r", io.StringIO()
    for stop in (quiet(bars=True), contextlib.nullcontext()):
        with stop, tqdm(total=1, desc=name, file=file, disable=False):
            pass
    escaped, raw = file.getvalue().partition(printable(name))[1:]
    assert escaped
    assert name in raw  # the bars of others are left as they are


def test_a_name_that_is_no_text_is_refused_with_its_bytes(photos: str, commands) -> None:
    (Path(photos) / os.fsdecode(b"\x1bcaf\xe9")).mkdir()
    result = commands("data", photos)
    assert result.status == 1
    *_, sentence = lines(result.err)
    assert sentence.endswith("\\x1bcaf\\xe9' is not UTF-8: rename it")
