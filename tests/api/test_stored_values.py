"""Images of any type of numbers are scored as the same images in 8 bits."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.cli import main
from zoo.errors import UsageError, ZooError

IMAGES = np.random.default_rng(3).integers(0, 256, (40, 8, 8), dtype=np.uint8)
IMAGES[:, 0, :2] = 0, 255


def bits_per_dim(run: zoo.Run, folder: Path, images: np.ndarray | list[Image.Image]) -> float:
    """Returns bits/dim of images in a file or folder, all in the test split."""
    folder.mkdir()
    if isinstance(images, np.ndarray):
        source = folder / "a.npz"
        np.savez(source, train_images=images, val_images=images[:1], test_images=images)
    else:
        source = folder
        for split in ("train", "test"):
            (folder / split).mkdir()
            for number, image in enumerate(images):
                image.save(folder / split / f"{number:02}.tiff")
    return run.evaluate(str(source), metrics=("bits_per_dim",))["bits_per_dim"].value


def test_bits_per_dim_do_not_depend_on_the_type(trained: zoo.Run, tmp_path: Path) -> None:
    expected = bits_per_dim(trained, tmp_path / "uint8", IMAGES)
    binary = IMAGES > 127
    forms: dict[str, tuple[Any, float]] = {
        "uint16": (IMAGES.astype(np.uint16) * 257, expected),
        "int64": (IMAGES.astype(np.int64), expected),
        "float64": (IMAGES / 255, expected),
        "int32.tiff": ([Image.fromarray(i.astype(np.int32)) for i in IMAGES], expected),
        "float32.tiff": ([Image.fromarray(i / np.float32(255)) for i in IMAGES], expected),
    }
    for name, (images, value) in forms.items():
        assert bits_per_dim(trained, tmp_path / name, images) == value, name
    ink = bits_per_dim(trained, tmp_path / "ink", binary.astype(np.uint8) * np.uint8(255))
    assert bits_per_dim(trained, tmp_path / "bool", binary) == ink
    with pytest.raises(ZooError, match=r"only values 0 to 1 of 0 to 255"):
        bits_per_dim(trained, tmp_path / "black", binary.astype(np.uint8))


def test_a_run_reads_later_data_with_its_value_range(tmp_path: Path) -> None:
    binary = (IMAGES > 127).astype(np.uint8)
    path = tmp_path / "a.npz"
    np.savez(path, train_images=binary, val_images=binary[:1], test_images=binary[:9])
    config = {"depth": 1, "width": 4, "data.value_range": [0, 1], "training.log_every": 1}
    options: dict[str, Any] = {"data": path, "device": "cpu", "quiet": True}
    run = zoo.train("glow", steps=1, out=tmp_path / "run", config=config, **options)
    assert run.config.data.value_range == [0, 1]
    actual = zoo.load(run.path).evaluate(metrics=("bits_per_dim",))["bits_per_dim"].value
    ink = np.where(binary[:9], 255, 0).astype(np.uint8)
    assert actual == bits_per_dim(run, tmp_path / "ink", ink)
    zoo.train("glow", steps=2, out=run.path, resume=True, **options)


def test_the_range_of_other_data_can_be_stated(
    trained: zoo.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """12 bits in 16 are refused with an advice that ``zoo evaluate`` takes."""
    expected = bits_per_dim(trained, tmp_path / "a", IMAGES)
    with pytest.raises(ZooError, match=r"data\.value_range") as caught:
        bits_per_dim(trained, tmp_path / "b", (IMAGES * (4095 / 255)).round().astype(np.uint16))
    advice = re.search(r"--set '(.*?)' if they have 12 bits", str(caught.value))
    assert advice is not None, caught.value
    copy = shutil.copytree(trained.path, tmp_path / "run")
    command = ["evaluate", str(copy), "--data", str(tmp_path / "b" / "a.npz"), "--json"]
    assert main([*command, "--metric", "bits_per_dim", "--set", advice[1]]) == 0
    (metric,) = json.loads(capsys.readouterr().out)["metrics"]
    assert metric["value"] == expected


@pytest.mark.parametrize(
    ("data", "setting", "message"),
    [
        ("digits", {"data.value_range": [0]}, "data.value_range must have at least 2 values"),
        ("digits", {"size": 8}, "size=8: only layout, column, value_range and background"),
        (None, {"value_range": [0, 1]}, "the run's own data are read as in training"),
    ],
)
def test_other_settings_of_other_data_are_refused(
    trained: zoo.Run, data: str | None, setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        trained.evaluate(data, settings=setting)


def test_the_background_of_training_is_that_of_later_images(tmp_path: Path) -> None:
    """Bright images are laid on black; dark ones, seen later, too."""
    bright = np.full((8, 8, 4), 250, np.uint8)
    bright[2:6, 2:6, 3] = 0
    bright[0, 0, :3] = 100
    dark = bright.copy()
    dark[..., :3] = 20
    for name, image in (("bright", bright), ("dark", dark)):
        (tmp_path / name).mkdir()
        for number in range(20):
            image[0, 1, :3] = number
            Image.fromarray(image).save(tmp_path / name / f"{number:02}.png")
    config = {"depth": 1, "width": 4, "data.channels": 1}
    run = zoo.train(
        "glow", data=tmp_path / "bright", steps=1, out=tmp_path / "run", config=config,
        device="cpu", quiet=True,
    )  # fmt: skip
    assert run.config.data.background == "black"
    loaded = zoo.load(run.path, "cpu")
    assert loaded.config.data.background == "black"
    from zoo.data import open_data
    from zoo.data.image_files import find_images, read_images

    later = loaded.data_config(str(tmp_path / "dark"))
    assert open_data(later).splits["train"][0][0][0, 3, 3] == 0
    files, _ = find_images([tmp_path / "dark" / "00.png"])
    assert read_images(files, later)[0, 0, 3, 3] == 0
    fresh = later.model_copy(update={"background": None})
    assert read_images(files, fresh)[0, 0, 3, 3] == 255


def test_a_range_that_was_found_is_stored(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES.astype(np.int32))
    run = zoo.train(
        "glow", data=tmp_path / "a.npz", steps=1, out=tmp_path / "run",
        config={"depth": 1, "width": 4}, device="cpu", quiet=True,
    )  # fmt: skip
    assert run.config.data.value_range == [0, 255]
    dark = tmp_path / "dark.tiff"
    Image.fromarray((IMAGES[0] // 16).astype(np.int32)).save(dark)
    from zoo.data.image_files import find_images, read_images

    (pixels,) = read_images(find_images([dark])[0], zoo.load(run.path).data_config())
    np.testing.assert_array_equal(pixels[0], IMAGES[0] // 16)
