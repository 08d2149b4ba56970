"""npz files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered import (
    opened,
)
from trees import classes_of, left_out, source_of

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


@pytest.mark.parametrize("content", [b"junk", b"PK\x03\x04junk"])
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


LABELS: list[Any] = [
    (np.array([0.0, 2.0, np.nan]), {"0": 1, "2": 1, None: 1}),
    (np.array([b"dog", b"cat", b"dog"]), {"dog": 2, "cat": 1}),
    (np.array(["dog", "cat", ""]), {"dog": 1, "cat": 1, None: 1}),
    (np.array([[0], [10], [2]]), {"0": 1, "10": 1, "2": 1}),
    (np.array([1, 0, -1]), {"1": 1, "0": 1, None: 1}),
    (np.eye(4)[[3, 0, 3]], {"3": 2, "0": 1}),
    (np.eye(3, dtype=bool), {"0": 1, "1": 1, "2": 1}),
]


@pytest.mark.parametrize(("labels", "classes"), LABELS)
def test_labels_of_any_kind_are_names(labels: Any, classes: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=labels)
    source = source_of(tmp_path / "a.npz")
    assert classes_of(source) == {"train": classes}
    assert (left_out(source), source.kind) == ([], "an .npz file")


NOT_CLASSES: list[Any] = [
    (np.ones((3, 14), int), "int64 [3, 14] is neither one class an image nor one-hot"),
    (np.array([0.5, 1.5, 2.0]), "float64 [3] is neither one class an image nor one-hot"),
    (np.zeros((3, 2, 2)), "float64 [3, 2, 2] is neither one class an image nor one-hot"),
    (np.array([None, "a", 3], object), "it is pickled, which is never read: save text"),
]


@pytest.mark.parametrize(("labels", "why"), NOT_CLASSES)
def test_labels_that_are_not_classes_are_left_out(labels: Any, why: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=labels)
    source = source_of(tmp_path / "a.npz")
    assert classes_of(source) == {"train": {None: 3}}
    assert left_out(source)[0].startswith(f"the array 'labels': {why}")
    assert len(opened(tmp_path / "a.npz").splits["train"]) > 0


def test_arrays_that_are_not_used_are_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, masks=IMAGES, about=np.array("text"))
    assert left_out(source_of(tmp_path / "a.npz")) == [
        f"the array {key!r}: neither images nor labels by its name" for key in ("masks", "about")
    ]


def test_a_column_chooses_among_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays = {"images": IMAGES, "x_train": IMAGES[:2], "x_test": IMAGES[:1], "pixels": IMAGES[:1]}
    np.savez(path, **arrays, labels=np.arange(3), y_train=np.array([7, 8]))
    with pytest.raises(ZooError, match=r"two arrays of train images, 'images' and 'x_train'"):
        source_of(path)
    assert classes_of(source_of(path, column="images")) == {"train": {"0": 1, "1": 1, "2": 1}}
    source = source_of(path, column="x_train")
    assert classes_of(source) == {"train": {"7": 1, "8": 1}, "test": {None: 1}}
    assert source.column == "x_train"
    with pytest.raises(ZooError, match=r"data\.column is 'pixel', .*did you mean 'pixels'"):
        source_of(path, column="pixel")
    np.savez(path, arr_0=IMAGES[:2], labels=np.array(["b", "a"]))
    with pytest.raises(ZooError, match=r"only arr_0, labels: .*data\.column=KEY"):
        source_of(path)
    assert classes_of(source_of(path, column="arr_0")) == {"train": {"a": 1, "b": 1}}
