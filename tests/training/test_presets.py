"""Advice on presets: what the default one sets, and which fits the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.api import host
from zoo.config.resolve import Setting
from zoo.config.sections import DataConfig
from zoo.data import open_data
from zoo.training.presets import default_preset, preset_note
from zoo.training.request import Request


def save_photos(folder: Path, width: int, height: int, channels: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(24):
        pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
        Image.fromarray(pixels.squeeze()).save(folder / f"{number}.png")


def request(model: str, source: str, preset: str | None = None, **settings: object) -> Request:
    names = {"data.source": source} | {k.replace("__", "."): v for k, v in settings.items()}
    return Request(model, preset, settings=[Setting(*k.split("."), v, k) for k, v in names.items()])


@pytest.mark.parametrize(
    ("preset", "source", "noted"),
    [(None, "cifar10", True), (None, "digits", False), ("mnist", "cifar10", False)],
)
def test_a_default_preset_for_other_data_is_noted(
    preset: str | None, source: str, noted: bool
) -> None:
    default = default_preset(host().spec("glow"), request("glow", source, preset))
    assert (default is not None) == noted
    if default is not None:
        assert "default preset digits, made for digits" in default


@pytest.mark.parametrize(
    ("settings", "named", "unnamed"),
    [
        ({}, ["data.bits = 4", "training.steps ="], []),
        ({"data__bits": 8}, ["training.steps ="], ["data."]),
        ({"training__minutes": 3.0}, ["data.bits = 4"], ["training."]),
        ({"data__bits": 8, "training__epochs": 1.0}, [], ["with"]),
    ],
)
def test_what_the_default_preset_sets_is_named_unless_the_user_set_it(
    settings: dict[str, object], named: list[str], unnamed: list[str]
) -> None:
    default = default_preset(host().spec("glow"), request("glow", "cifar10", **settings))
    assert default is not None
    assert [text for text in named if text not in default] == []
    assert [text for text in unnamed if text in default] == []


@pytest.mark.parametrize(
    ("model", "width", "height", "channels", "size", "advice"),
    [
        ("glow", 48, 40, 3, 32, "--preset cifar10 (3x32x32, 8 bits) fits"),
        ("glow", 64, 64, 3, None, "--preset faces64 (3x64x64, 5 bits) fits"),
        ("dcgan", 300, 300, 3, None, "--preset faces64 (3x64x64, 8 bits) fits"),
        ("glow", 28, 28, 1, None, "--preset mnist (1x32x32, 8 bits) fits"),
        ("vae", 28, 28, 1, None, "--preset mnist (1x28x28, 1 bits) fits"),
        ("glow", 8, 8, 1, None, "no other preset fits"),
        ("nice", 32, 32, 3, None, "no other preset fits"),
    ],
)
def test_the_preset_that_fits_the_data_is_named(
    here: Path, model: str, width: int, height: int, channels: int, size: int | None, advice: str
) -> None:
    save_photos(here / "photos", width, height, channels)
    spec = host().spec(model)
    data = open_data(DataConfig(source="photos", size=size))
    note = preset_note(spec, request(model, "photos"), data)
    assert note is not None
    assert note.startswith("using the default preset digits, made for digits with data.bits = 4")
    assert advice in note


def test_photos_of_no_square_size_are_refused_with_the_preset_that_fits(
    here: Path, commands
) -> None:
    save_photos(here / "photos", 48, 40, 3)
    result = commands("train", "glow", "--data", "photos")
    assert result.status == 1
    sentence = result.err.splitlines()[-1]
    assert "--set data.size=40, or replace the default preset digits" in sentence
    assert "data.bits = 4" in sentence
    assert sentence.endswith("by --preset cifar10 (3x32x32, 8 bits)")
    assert commands("train", "nice", "--data", "photos").err.endswith("--set data.size=40\n")
    assert [path.name for path in here.iterdir()] == ["photos"]
