"""Folders of images: classes, splits, and files that are not images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numbered import (
    make_folder,
    numbered_image,
    numbers,
    opened,
    png,
)

from zoo.config.sections import DataConfig
from zoo.data.find import find_source
from zoo.errors import ZooError


def test_subfolders_are_classes(tmp_path: Path) -> None:
    for split, names in {"train": ["cat", "ant"], "val": ["ant"], "TEST": ["bee"]}.items():
        for name in names:
            folder = tmp_path / split / name / "deep"
            folder.mkdir(parents=True)
            (folder / "a.png").write_bytes(png(numbered_image(1)))
    data = opened(tmp_path)
    assert data.image_spec.class_names == ("ant", "cat")
    assert data.image_spec.classes == 2
    assert data.splits["train"].labels.tolist() == [0, 1]
    assert data.splits["validation"].labels.tolist() == [0]
    assert data.splits["test"].labels.tolist() == [-1]


def test_labels_are_left_out_if_some_images_have_no_class(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("a/1.png", "b/2.png", "3.png"):
        (tmp_path / name).write_bytes(png(numbered_image(1)))
    data = opened(tmp_path)
    assert len(data.splits["train"]) == 3
    assert data.image_spec.classes == 0
    assert "Labels were left out" in data.notes[0]


def test_a_folder_with_one_class_has_no_labels(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "img/1.png").write_bytes(png(numbered_image(1)))
    data = opened(tmp_path)
    assert data.image_spec.classes == 0
    assert data.image_spec.class_names == ()
    assert data.splits["train"].labels.tolist() == [-1]


def test_images_outside_the_split_folders_are_left_out(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {"train": 3, "test": 2, "more": 2})
    with pytest.raises(ZooError, match=r"'test', 'train' beside 'more': .* leaves out 2 of 7"):
        opened(folder)
    data = opened(folder, layout="splits")
    assert sorted(numbers(data)["train"] + numbers(data)["validation"]) == [0, 1, 2]
    source = find_source(DataConfig(source=str(folder), layout="splits"))
    assert [(part.what, part.why) for part in source.left_out] == [
        ("2 images (more/00005.png, ...)", "outside the folders of splits")
    ]


def test_hidden_files_are_ignored(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {".": 2})
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("x")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert numbers(opened(folder))["train"] == [0, 1]


@pytest.mark.parametrize("resident_gib", [4.0, 0.0])
@pytest.mark.parametrize("name", ["notes.txt", "broken.png"])
def test_a_file_that_is_not_an_image_is_named(
    name: str, resident_gib: float, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path, {"train": 3})
    (folder / "train" / name).write_text("hello")
    with pytest.raises(ZooError) as caught:
        opened(folder, resident_gib=resident_gib)
    path = folder / "train" / name
    assert str(caught.value) == (
        f"{path} is not an image that Pillow can read: repair or remove it"
    )


def test_a_text_file_is_named_before_images_are_decoded(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {".": 1})
    (folder / "00000.png").write_text("not a PNG")
    (folder / "later.txt").write_text("hello")
    with pytest.raises(ZooError, match=r"later\.txt is not an image"):
        opened(folder)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {"train": 3})
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    (folder / "train/00001.png").write_bytes(png(noise)[:-60])
    with pytest.raises(ZooError, match=r"00001\.png cannot be decoded \(.+\): repair"):
        opened(folder)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    with pytest.raises(ZooError, match="faces has no images: add images"):
        opened(tmp_path / "faces")
