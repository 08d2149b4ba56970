"""npz files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered import (
    opened,
)

from zoo.errors import ZooError


def test_keras_names_and_labels(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "k.npz",
        x_train=np.zeros((4, 4, 4, 1), np.uint8),
        y_train=np.array([[3], [7], [7], [3]]),
        x_test=np.ones((2, 4, 4, 1), np.uint8),
        y_test=np.array([[9], [3]]),
        about=np.array("text"),
    )
    data = opened(tmp_path / "k.npz")
    assert data.image_spec.class_names == ("3", "7")
    assert data.splits["train"].labels.tolist() == [0, 1, 1, 0]
    assert data.splits["test"].labels.tolist() == [-1, 0]
    assert data.splits["test"][0][0].tolist() == [[[1] * 4] * 4]


IMAGES = np.zeros((3, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES.astype(complex)}, r"'images' in .* is complex128: images must be num"),
        ({"images": IMAGES.astype("S3")}, r"is \|S3: images must be numbers"),
        ({"images": IMAGES[:, None]}, r"is \[3, 1, 8, 8\]: channels must be the last axis"),
        ({"images": np.zeros((2, 3, 8, 8), np.uint8)}, r"last axis; save .*transpose"),
        ({"images": IMAGES[0]}, r"must be \[N, H, W\] or \[N, H, W, C\]"),
        ({"pixels": IMAGES}, r"no images under a known key, only pixels"),
        ({"images": IMAGES, "labels": np.zeros(2, int)}, r"'labels' in .* \[2\] for 3 images"),
        ({"images": IMAGES, "labels": np.full(3, 0.5)}, r"labels of type float"),
        ({"images": IMAGES, "x_train": IMAGES}, r"two arrays of train images"),
        ({"images": np.array([None, {}], dtype=object)}, r"Object arrays cannot be loaded"),
        ({"images": IMAGES[:0]}, r"no training images"),
    ],
)
def test_unusable_arrays_are_an_error_with_the_fix(
    arrays: dict[str, Any], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ZooError, match=message) as caught:
        opened(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_a_file_that_is_not_npz_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ZooError, match=r"a\.npz (is not an \.npz file|cannot be read)"):
        opened(tmp_path / "a.npz")


def test_a_damaged_npz_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.savez_compressed(tmp_path / "a.npz", images=noise)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[500:600] = bytes(100)
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ZooError, match=r"a\.npz cannot be read \("):
        opened(tmp_path / "a.npz")
