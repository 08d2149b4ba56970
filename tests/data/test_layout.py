"""The meaning of folders of a dataset, and errors where they can be read in two ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trees import classes_of, left_out, make_tree, source_of

from zoo.errors import ZooError

UNDERSTOOD: list[Any] = [
    (["*3"], "images", {"train": {None: 3}}),
    (["img/*3"], "images", {"train": {None: 3}}),
    (["dog/*3"], "classes", {"train": {"dog": 3}}),
    (["cat/*2", "dog/deep/*3"], "classes", {"train": {"cat": 2, "dog": 3}}),
    (["train/*3", "test/*2"], "splits", {"train": {None: 3}, "test": {None: 2}}),
    (["Train/*3", "TEST/*2"], "splits", {"train": {None: 3}, "test": {None: 2}}),
    (
        ["archive/set/train/cat/*2", "archive/set/train/dog/*3", "archive/set/test/cat/*1"],
        "splits",
        {"train": {"cat": 2, "dog": 3}, "test": {"cat": 1}},
    ),
    (["photos/cat/*2", "photos/dog/*3"], "classes", {"train": {"cat": 2, "dog": 3}}),
    (
        ["training_set/cat/*2", "training_set/dog/*2", "test_set/dog/*1"],
        "splits",
        {"train": {"cat": 2, "dog": 2}, "test": {"dog": 1}},
    ),
    (
        ["train_images/*3", "valid_images/*2", "test_images/*1"],
        "splits",
        {"train": {None: 3}, "validation": {None: 2}, "test": {None: 1}},
    ),
    (["train2017/*3", "val2017/*1"], "splits", {"train": {None: 3}, "validation": {None: 1}}),
    (
        ["DIV2K_train_HR/*3", "DIV2K_valid_HR/*1"],
        "splits",
        {"train": {None: 3}, "validation": {None: 1}},
    ),
    (
        ["seg_train/seg_train/sea/*2", "seg_train/seg_train/ice/*2", "seg_test/seg_test/sea/*2"],
        "splits",
        {"train": {"sea": 2, "ice": 2}, "test": {"sea": 2}},
    ),
    (
        ["cats/train/*2", "cats/test/*1", "dogs/train/*3", "dogs/test/*1"],
        "classes",
        {"train": {"cats": 2, "dogs": 3}, "test": {"cats": 1, "dogs": 1}},
    ),
    (["train/*3", "validation/*0"], "splits", {"train": {None: 3}}),
    (["train_station/*2", "museum/*2"], "classes", {"train": {"train_station": 2, "museum": 2}}),
    (["label_0/*2", "label_1/*2"], "classes", {"train": {"label_0": 2, "label_1": 2}}),
    (
        ["with_mask/*2", "without_mask/*2"],
        "classes",
        {"train": {"with_mask": 2, "without_mask": 2}},
    ),
    (
        ["train/bus/*2", "train/train/*2", "test/bus/*1", "test/train/*1"],
        "splits",
        {"train": {"bus": 2, "train": 2}, "test": {"bus": 1, "train": 1}},
    ),
    (
        ["train/cat/*2", "train/dog/*2", "test/*2"],
        "splits",
        {"train": {"cat": 2, "dog": 2}, "test": {None: 2}},
    ),
]


@pytest.mark.parametrize(("paths", "layout", "classes"), UNDERSTOOD)
def test_folders_are_understood(
    paths: list[str], layout: str, classes: dict[str, Any], tmp_path: Path
) -> None:
    make_tree(tmp_path, paths)
    source = source_of(tmp_path)
    assert (source.layout, classes_of(source)) == (layout, classes)
    assert left_out(source) == []
    # The layout that a run stores gives the same.
    again = source_of(tmp_path, layout=source.layout)
    assert (classes_of(again), again.kind) == (classes, source.kind)


AMBIGUOUS: list[Any] = [
    (
        ["bus/*20", "car/*20", "train/*20"],
        r"'train' beside 'bus', 'car': --set data\.layout=splits .* leaves out 40 of 60 images, "
        r"data\.layout=classes makes 'train' a class",
        {
            "splits": {"train": {None: 20}},
            "classes": {"train": {"bus": 20, "car": 20, "train": 20}},
        },
    ),
    (
        ["train/*2", "test/*2", "cat/*2", "dog/*2"],
        r"'test', 'train' beside 'cat', 'dog': .*layout=splits .*layout=classes",
        {"classes": {"train": {"train": 2, "test": 2, "cat": 2, "dog": 2}}},
    ),
    (
        ["*5", "test/*2"],
        r"'test' beside 5 images .*: --set data\.layout=splits .* 5 of 7 .*layout=images gives",
        {"images": {"train": {None: 7}}, "splits": {"test": {None: 2}}},
    ),
    (
        ["train-1/*2", "train-2/*2"],
        r"several folders of the split train, 'train-1', 'train-2': .*splits joins .*classes makes",
        {"splits": {"train": {None: 4}}, "classes": {"train": {"train-1": 2, "train-2": 2}}},
    ),
    (["trainA/*2", "trainB/*2", "testA/*1", "testB/*1"], r"several folders of the split t", {}),
    (
        ["cats_train/*2", "cats_test/*1", "dogs_train/*2", "dogs_test/*1"],
        r"folders of splits and classes in one, 'cats_test'.*layout=classes.*layout=splits",
        {"splits": {"train": {None: 4}, "test": {None: 2}}},
    ),
    (
        ["set/train/*2", "set/test/*2", "other/*2"],
        r"has a folder 'test' deeper down: .*data\.source; .*data\.layout=classes",
        {"classes": {"train": {"set": 4, "other": 2}}},
    ),
    (["cats/train/*2", "cats/*1", "dogs/*2"], r"has a folder 'train' deeper down", {}),
    (["train/cat/test/*2", "train/dog/*2"], r"train has a folder 'test' deeper down", {}),
    (["train/cat/*2", "train/test/*2", "val/cat/*2"], r"train has a folder 'test' deeper", {}),
    (
        ["fold1/train/*2", "fold1/test/*1", "fold2/train/*2", "fold2/test/*1"],
        r"'fold1', 'fold2' with splits inside: name one of them",
        {},
    ),
    (
        ["hats/*2", "masks/*2", "shoes/*2"],
        r"the folder 'masks' beside 'hats': with --set data\.layout=classes it is a class",
        {"classes": {"train": {"hats": 2, "masks": 2, "shoes": 2}}},
    ),
]


@pytest.mark.parametrize(("paths", "message", "settled"), AMBIGUOUS)
def test_two_readings_are_an_error_and_the_setting_decides(
    paths: list[str], message: str, settled: dict[str, Any], tmp_path: Path
) -> None:
    make_tree(tmp_path, paths)
    with pytest.raises(ZooError, match=message):
        source_of(tmp_path)
    for layout, classes in settled.items():
        source = source_of(tmp_path, layout=layout)
        assert (source.layout, classes_of(source)) == (layout, classes)


MASKED: list[Any] = [
    (
        ["train/good/*3", "test/good/*1", "test/broken/*2", "ground_truth/broken/*2"],
        {"train": {"good": 3}, "test": {"good": 1, "broken": 2}},
        "the folder ground_truth (2 files)",
    ),
    (
        [
            "bottle/train/good/*3",
            "bottle/test/bad/*2",
            "bottle/ground_truth/bad/*2",
            "cable/train/good/*3",
            "cable/test/bad/*1",
            "cable/ground_truth/bad/*1",
        ],
        {"train": {"bottle": 3, "cable": 3}, "test": {"bottle": 2, "cable": 1}},
        "the folder bottle/ground_truth (2 files)",
    ),
    (["images/*3", "masks/*3"], {"train": {None: 3}}, "the folder masks (3 files)"),
    (["images/*3", "labels/a.txt"], {"train": {None: 3}}, "the folder labels (1 file)"),
    (
        ["train/*2", "train_masks/*2", "val/*1", "valannot/*1"],
        {"train": {None: 2}, "validation": {None: 1}},
        "the folder train_masks (2 files)",
    ),
    (
        ["JPEGImages/*2", "Annotations/a.xml", "SegmentationClass/*2"],
        {"train": {None: 2}},
        "the folder Annotations (1 file)",
    ),
    (
        ["benign/a.png", "benign/a_mask.png", "normal/b.png", "normal/b_mask_1.png"],
        {"train": {"benign": 1, "normal": 1}},
        "2 files like benign/a_mask.png",
    ),
]


@pytest.mark.parametrize(("paths", "classes", "what"), MASKED)
def test_masks_are_left_out(
    paths: list[str], classes: dict[str, Any], what: str, tmp_path: Path
) -> None:
    make_tree(tmp_path, paths)
    source = source_of(tmp_path)
    assert classes_of(source) == classes
    assert source.left_out[0].what == what
    assert "masks" in source.left_out[0].why
    assert classes_of(source_of(tmp_path, layout=source.layout)) == classes


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "Citation.txt"])
def test_documents_beside_images_are_left_out(name: str, tmp_path: Path) -> None:
    make_tree(tmp_path, ["set/train/images/*3", "set/test/images/*2"])
    (tmp_path / name).write_text("About the images.")
    source = source_of(tmp_path)
    assert classes_of(source) == {"train": {None: 3}, "test": {None: 2}}
    assert source.kind == "a folder of splits"
    assert [part.what for part in source.left_out] == [f"the file {name}"]


def test_masks_that_are_named_as_the_source_are_images(tmp_path: Path) -> None:
    make_tree(tmp_path, ["train/*1", "ground_truth/masks/*2"])
    assert classes_of(source_of(tmp_path / "ground_truth"))["train"].keys() != set()
    assert len(source_of(tmp_path / "ground_truth").splits["train"]) == 2


def test_a_stray_image_beside_splits_is_left_out(tmp_path: Path) -> None:
    make_tree(tmp_path, ["train/*10", "test/*5", "logo.png"])
    source = source_of(tmp_path)
    assert classes_of(source) == {"train": {None: 10}, "test": {None: 5}}
    assert left_out(source) == ["the image logo.png: outside the folders of splits"]


def test_images_beside_class_folders_are_kept_or_left_out(tmp_path: Path) -> None:
    make_tree(tmp_path, ["a/*2", "b/*2", "3.png"])
    source = source_of(tmp_path)
    assert (source.layout, classes_of(source)) == ("images", {"train": {None: 5}})
    assert "Labels were left out: the image 3.png outside the class folders" in source.notes[0]
    source = source_of(tmp_path, layout="classes")
    assert classes_of(source) == {"train": {"a": 2, "b": 2}}
    assert left_out(source) == ["the image 3.png: outside the class folders"]


def test_what_was_found_is_said(tmp_path: Path) -> None:
    make_tree(tmp_path, ["set/training_set/cat/a/*1", "set/training_set/dog/*1", "set/val/*1"])
    source = source_of(tmp_path)
    assert source.kind == "a folder of splits with class folders"
    assert source.notes == (
        "set holds all images, so its folders count.",
        "training_set is the split train.",
        "Without a label: the image set/val/0.png of the split validation, outside class folders.",
        "Folders inside the class folders have no meaning, such as cat/a.",
    )


def test_a_layout_that_the_folder_cannot_have_is_an_error(tmp_path: Path) -> None:
    make_tree(tmp_path, ["*2"])
    for layout in ("splits", "classes"):
        with pytest.raises(ZooError, match=f"data.layout is {layout} and"):
            source_of(tmp_path, layout=layout)
