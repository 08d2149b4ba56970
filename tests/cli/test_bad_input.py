"""Bad input: one message with the value and the fix, and no partial output."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

TRAIN = ["train", "glow", "--steps", "2", "--device", "cpu"]


@pytest.fixture
def image_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of gray images of the given sizes."""

    def make(*sizes: tuple[int, int]) -> Path:
        folder = tmp_path / "images"
        folder.mkdir()
        for i, (width, height) in enumerate(sizes):
            pixels = np.random.default_rng(i).integers(0, 256, (height, width), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
        return folder

    return make


# Names and values


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["train", "glwo"], 2, "there is no model 'glwo': did you mean 'glow'?"),
        ([*TRAIN, "--preset", "mnst"], 2, "glow has no preset 'mnst': did you mean 'mnist'?"),
        ([*TRAIN, "--dept", "3"], 2, "No such option '--dept'"),
        ([*TRAIN, "--set", "dept=3"], 2, "no key 'dept': did you mean 'model.depth'?"),
        ([*TRAIN, "--set", "depth=99"], 2, "model.depth must be at most 64, got 99"),
        ([*TRAIN, "--batch-size", "0"], 2, "--batch-size 0: training.batch_size must be at least"),
        ([*TRAIN, "--minutes", "nan"], 2, "--minutes nan: training.minutes must be a finite"),
        ([*TRAIN, "--seed", "-1"], 2, "--seed -1: training.seed must be at least 0, got -1"),
        ([*TRAIN, "--precision", "fp8"], 2, "--precision fp8: training.precision must be 'auto'"),
        ([*TRAIN, "--config", "no.toml"], 2, "--config no.toml: No such file or directory"),
        ([*TRAIN, "--set", "training.steps=3"], 2, "by --steps 2 and by --set training.steps=3"),
        ([*TRAIN, "--data", "digts"], 2, "nor a known name: did you mean 'digits'?"),
        ([*TRAIN, "--data", "./nothing"], 2, "'./nothing': there is no such file or folder"),
        ([*TRAIN, "--data", ""], 2, "data.source must not be empty"),
        ([*TRAIN, "--set", "levels=4"], 2, "needs data.size to be a multiple of 16, got 8"),
        ([*TRAIN, "--set", "data.size=32"], 1, "is 8x8 pixels, smaller than data.size 32: use"),
        ([*TRAIN, "--resume"], 2, "there is no run runs/glow-digits to resume"),
        ([*TRAIN, "--resume", "--out", "x"], 2, "there is no run folder x"),
        ([*TRAIN, "--device", "tpu"], 2, "there is no device 'tpu': use auto, cpu or"),
        ([*TRAIN, "--device", "meta"], 2, "there is no device 'meta'"),
        (["train", "glow", "--processes", "0"], 2, "0 is not in the range x>=1"),
        (["sample", "nowhere"], 2, "there is no run folder nowhere"),
        (["sample", "."], 2, ". is not a run folder: it has no config.json"),
        (["evaluate", "nowhere"], 2, "there is no run folder nowhere"),
    ],
)
def test_a_wrong_value_is_an_error(commands, here, untouched, arguments, status, message) -> None:
    if "levels=4" in arguments:
        arguments = [*arguments, "--out", "run"]
    assert message in commands.fails(status, *arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_an_error(commands, here, untouched, trained) -> None:
    for arguments in (TRAIN, ["sample", trained.path]):
        message = commands.fails(1, *arguments, "--device", "cuda")
        assert message.startswith("--device cuda: ")
        assert message.endswith("use --device cpu, or run zoo doctor")


# Data


def test_an_empty_folder_of_data(commands, here, untouched, image_folder) -> None:
    folder = image_folder()
    message = commands.fails(1, *TRAIN, "--data", folder)
    assert f"the folder {folder} has no images" in message


def test_a_file_that_is_not_an_image_is_named(commands, here, untouched, image_folder) -> None:
    folder = image_folder((8, 8), (8, 8))
    (folder / "notes.txt").write_text("hello")
    assert "notes.txt" in commands.fails(1, *TRAIN, "--data", folder)
    (folder / "notes.txt").unlink()
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:60])
    assert "1.png" in commands.fails(1, *TRAIN, "--data", folder)


def test_images_of_different_or_small_sizes(commands, here, untouched, image_folder) -> None:
    folder = image_folder((8, 8), (12, 8))
    assert "--set data.size=8" in commands.fails(1, *TRAIN, "--data", folder)
    message = commands.fails(1, *TRAIN, "--data", folder, "--set", "data.size=16")
    assert "smaller than data.size 16" in message


def test_a_file_that_is_not_data(commands, here, untouched, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("1,2")
    assert f"{table} is a table without images" in commands.fails(2, *TRAIN, "--data", table)
    array = tmp_path / "array.npz"
    array.write_text("no zip")
    assert f"{array} is not an .npz file" in commands.fails(1, *TRAIN, "--data", array)


def test_missing_labels(commands, here, untouched, image_folder) -> None:
    folder = image_folder(*[(8, 8)] * 20)
    arguments = ["--data", folder, "--set", "conditional=true", "--out", "run"]
    message = commands.fails(2, *TRAIN, *arguments)
    assert message == "model.conditional = true needs data with labels, and these have none"


# Run folders


def test_an_existing_target_is_an_error(commands, here, trained_copy) -> None:
    Path("file").write_text("mine")
    Path("full").mkdir()
    Path("full/file").write_text("mine")
    for name in ("file", "full"):
        message = commands.fails(2, *TRAIN, "--out", name)
        assert message == f"{name} is not an empty folder: choose another --out"
    message = commands.fails(2, *TRAIN, "--out", trained_copy)
    assert "is already a run: continue it with --resume" in message
    assert commands.fails(1, *TRAIN, "--out", "file/run") == (
        "file/run cannot be created: Not a directory"
    )
    assert sorted(str(path) for path in here.rglob("*")) == [
        str(here / name) for name in ("file", "full", "full/file")
    ]


@pytest.mark.skipif(
    os.geteuid() == 0, reason="needs a user other than root, who can write everywhere"
)
def test_a_read_only_folder(commands, here) -> None:
    Path("locked").mkdir(mode=0o555)
    assert "locked/run" in commands.fails(1, *TRAIN, "--out", "locked/run")
    assert not any(Path("locked").iterdir())


def test_a_folder_that_the_system_refuses(commands, here, trained) -> None:
    """Not even root can write to /proc."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    message = commands.fails(1, "sample", trained.path, "-n", 1, "-o", "/proc/zoo/x.png")
    assert message.startswith("/proc/zoo/x.png could not be written: ")
    assert commands.fails(1, *TRAIN, "--out", "/proc/zoo").startswith(
        "/proc/zoo cannot be created: "
    )


# Resuming


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "depth=3"], "was started with model.depth = 2, not 3"),
        (["--seed", "7"], "was started with training.seed = 0, not 7"),
        (["--preset", "mnist"], "was started with model."),
        (["--seed", "31"], "was started with training.seed = "),
    ],
)
def test_a_changed_configuration_is_refused(commands, here, trained, arguments, message) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")}
    found = commands.fails(2, "train", "glow", "--resume", "--out", trained.path, *arguments)
    assert f"{trained.path} {message}" in found
    assert found.endswith("keep it, or start another run with --out")
    assert {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")} == before


def test_other_data_are_refused(commands, here, trained_copy, image_folder) -> None:
    folder = image_folder(*[(8, 8)] * 20).rename("digits")
    arguments = ["--resume", "--out", trained_copy, "--data", folder.absolute()]
    before = (trained_copy / "config.json").read_bytes()
    result = commands("train", "glow", "--device", "cpu", *arguments)
    assert result.status == 2
    assert "was started with 1617 training images, but digits has" in result.err
    assert (trained_copy / "config.json").read_bytes() == before


# Sampling


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-o", "a.txt"],
            "-o a.txt: use a name in .png for a grid, in .npy for an array, or a folder",
        ),
        (["-o", "full"], "-o full exists: name an empty or a new folder"),
        (["-o", "file"], "-o file exists: name an empty or a new folder"),
        (["-o", "d.png"], "-o d.png is a folder: name a file, or another folder"),
        (["--label", "3"], "this glow is unconditional: it takes no labels"),
        (["--temperature", "nan"], "--temperature must be a finite number, got nan"),
        (["--temperature", "inf"], "--temperature must be a finite number, got inf"),
        (["--temperature", "-1"], "-1.0 is not in the range x>=0"),
        (["--seed", str(2**64)], f"the seed must be from 0 to 2^64 - 1, got {2**64}"),
        (["--interpolate", "-n", "1"], "--interpolate needs at least 2 images, got -n 1"),
        (["-n", "-4"], "-4 is not in the range x>=1"),
        (["--device", "gpu"], "there is no device 'gpu': use auto, cpu or cuda"),
    ],
)
def test_an_invalid_option_of_sample(commands, here, trained, arguments, message: str) -> None:
    Path("full").mkdir()
    Path("full/file").touch()
    Path("file").touch()
    Path("d.png").mkdir()
    before = sorted(here.rglob("*"))
    assert message in commands.fails(2, "sample", trained.path, *arguments)
    assert sorted(here.rglob("*")) == before
