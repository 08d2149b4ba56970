"""Arrays that numpy saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered import (
    opened,
)

from zoo.errors import ZooError


def test_npz_with_keras_names_and_labels(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "k.npz",
        x_train=np.zeros((4, 4, 4, 1), np.uint8),
        y_train=np.array([[3], [7], [7], [3]]),
        x_test=np.ones((2, 4, 4, 1), np.uint8),
        y_test=np.array([[9], [3]]),
        about=np.array("text"),
    )
    data = opened(tmp_path / "k.npz")
    assert data.class_names == ("3", "7", "9")
    assert data.splits["train"].labels.tolist() == [0, 1, 1, 0]
    assert data.splits["test"].labels.tolist() == [2, 0]
    assert data.splits["test"][0][0].tolist() == [[[1] * 4] * 4]


IMAGES = np.zeros((3, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"images": IMAGES / 255}, r"'images' in .* is float64.*\(images \* 255\)\.round\(\)"),
        ({"images": IMAGES.astype(np.int64)}, r"is int64: pictures must be uint8"),
        ({"images": IMAGES[:, None]}, r"is \[3, 1, 8, 8\]: the channels come last"),
        ({"images": np.zeros((2, 3, 8, 8), np.uint8)}, r"channels come last; save .*transpose"),
        ({"images": IMAGES[0]}, r"must be \[N, H, W\] or \[N, H, W, C\]"),
        ({"pixels": IMAGES}, r"no pictures under a known key, only pixels"),
        ({"images": IMAGES, "labels": np.zeros(2, int)}, r"'labels' in .* \[2\] for 3 pictures"),
        ({"images": IMAGES, "labels": np.zeros(3)}, r"labels of type float"),
        ({"images": IMAGES, "x_train": IMAGES}, r"two arrays of train pictures"),
        ({"images": np.array([None, {}], dtype=object)}, r"Object arrays cannot be loaded"),
        ({"images": IMAGES[:0]}, r"no picture to train on"),
    ],
)
def test_npz_that_cannot_be_used(arrays: dict[str, Any], says: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ZooError, match=says) as caught:
        opened(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_npz_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ZooError, match=r"a\.npz (is no \.npz file|cannot be read)"):
        opened(tmp_path / "a.npz")


def test_npz_that_is_cut_short(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.savez_compressed(tmp_path / "a.npz", images=noise)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[500:600] = bytes(100)
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ZooError, match=r"a\.npz cannot be read \("):
        opened(tmp_path / "a.npz")
