"""``zoo data``: splits, classes, values and a contact sheet, before any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Commands
from PIL import Image

import zoo

CLASSES = {"cat": 30, "dog": 22, "10": 3}
"""The number of images of each class."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of class folders with noise of 12x10 pixels, and a text file beside them."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name, count in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def read(commands: Commands, *arguments: object) -> dict[str, Any]:
    result = commands("data", *arguments, "--json")
    assert result.status == 0, result
    document: dict[str, Any] = json.loads(result.out)
    return document


def test_json_has_every_field(photos: Path, commands: Commands) -> None:
    document = read(commands, photos, "--set", "size=8", "--set", "bits=5")
    assert list(document) == [
        "source",
        "kind",
        "image",
        "class_names",
        "splits",
        "values",
        "notes",
        "left_out",
    ]
    assert document["source"] == str(photos)
    assert document["kind"] == "a folder of class folders"
    assert document["image"] == {"channels": 3, "size": 8, "classes": 3, "bits": 5}
    assert document["class_names"] == ["10", "cat", "dog"]
    splits = document["splits"]
    assert list(splits) == ["train", "validation", "test"]
    totals = {
        name: sum(split["per_class"][name] for split in splits.values())
        for name in document["class_names"]
    }
    assert totals == CLASSES
    for split in splits.values():
        assert set(split) == {"images", "per_class"}
        assert split["images"] == sum(split["per_class"].values())
        assert min(split["per_class"].values()) >= 1
    assert set(document["values"]) == {"min", "max", "distinct"}
    assert document["values"]["distinct"] > 200
    assert any("scaled" in note for note in document["notes"])


def test_list_has_the_hash_of_each_image(photos: Path, commands: Commands) -> None:
    document = read(commands, photos, "--set", "size=8", "--list")
    ids = {name: split["ids"] for name, split in document["splits"].items()}
    assert {name: len(hashes) for name, hashes in ids.items()} == {
        name: split["images"] for name, split in document["splits"].items()
    }
    everything = [hash for hashes in ids.values() for hash in hashes]
    assert len(set(everything)) == sum(CLASSES.values())
    renamed = photos.with_name("other")
    for number, file in enumerate(sorted(photos.rglob("*.png"), reverse=True)):
        (renamed / file.parent.name).mkdir(parents=True, exist_ok=True)
        file.rename(renamed / file.parent.name / f"{number:03}.png")
    again = read(commands, renamed, "--set", "size=8", "--list")["splits"]
    assert {name: sorted(split["ids"]) for name, split in again.items()} == {
        name: sorted(hashes) for name, hashes in ids.items()
    }
    other_seed = read(commands, renamed, "--set", "size=8", "--list", "--seed", "1")["splits"]
    assert set(other_seed["test"]["ids"]) != set(again["test"]["ids"])


def test_without_labels_no_class_is_counted(tmp_path: Path, commands: Commands) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "gray.npz", images=images)
    document = read(commands, tmp_path / "gray.npz")
    assert document["class_names"] == []
    assert {name: s["images"] for name, s in document["splits"].items()} == {
        "train": 36,
        "validation": 2,
        "test": 2,
    }
    assert all(split["per_class"] == {} for split in document["splits"].values())
    assert document["values"] == {
        "min": int(images.min()),
        "max": int(images.max()),
        "distinct": len(np.unique(images)),
    }


def test_text_says_the_same(photos: Path, commands: Commands) -> None:
    result = commands("data", photos, "--set", "size=8")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0] == "photos: a folder of class folders"
    assert "12x10" in lines[1]
    assert "3x8x8" in lines[1]
    rows = [line.split() for line in lines]
    assert ["images", "47", "4", "4"] in rows
    assert ["10", "1", "1", "1"] in rows
    assert ["cat", "26", "2", "2"] in rows


def test_contact_sheet_has_a_row_for_each_class(
    photos: Path, tmp_path: Path, commands: Commands
) -> None:
    out = tmp_path / "sheet.png"
    assert commands("data", photos, "--set", "size=8", "-o", out).out.endswith(f"{out}\n")
    sheet = np.asarray(Image.open(out).convert("RGB")).astype(int)
    colored = (sheet.max(-1) - sheet.min(-1)) > 8
    filled = colored.any(axis=1)
    starts = int(filled[0]) + int((np.diff(filled.astype(int)) == 1).sum())
    assert starts == len(CLASSES)


def test_settings_of_a_model_apply(photos: Path, commands: Commands) -> None:
    default = zoo.api.host().spec("glow").presets
    document = read(commands, photos, "--model", "glow", "--set", "size=8")
    preset = next(iter(default.values()))
    assert document["image"]["bits"] == preset["data"].get("bits", 8)


def test_a_file_of_settings_applies(photos: Path, tmp_path: Path, commands: Commands) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[data]\nsize = 4\n[training]\nseed = 1\n")
    document = read(commands, photos, "--model", "glow", "--config", file, "--list")
    assert document["image"]["size"] == 4
    same = read(commands, photos, "--set", "size=4", "--seed", "1", "--list")
    assert document["splits"]["test"]["ids"] == same["splits"]["test"]["ids"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "digits"], "--preset digits needs --model"),
        (["--config", "x.toml"], "--config x.toml needs --model"),
        (["--set", "steps=3"], "zoo data takes keys of the section data only"),
        (["--set", "sizes=3"], "there is no key 'sizes'"),
        (["--set", "size=1"], "data.size must be at least 2, got 1"),
        (["-o", "sheet.jpg"], "-o sheet.jpg: name a file in .png"),
        (["--model", "glo"], "glow"),
    ],
)
def test_a_wrong_call_is_refused(
    photos: Path, commands: Commands, arguments: list[str], message: str
) -> None:
    assert message in commands.fails(2, "data", photos, *arguments)


def test_training_prints_the_data_first(photos: Path, tmp_path: Path, commands: Commands) -> None:
    result = commands(
        "train", "vae", "--data", photos, "--set", "data.size=8", "--steps", "1",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert result.status == 0, result.err
    lines = result.err.splitlines()
    summary = "photos: a folder of class folders; 47 train, 4 validation, 4 test; 3 classes: 10, "
    assert f"{summary}cat, dog" in lines
    assert lines.index(f"{summary}cat, dog") < min(
        number for number, line in enumerate(lines) if line.startswith("step")
    )
