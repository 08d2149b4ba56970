"""Images of any type of numbers are scored as the same images in 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.errors import ZooError

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
