"""Classes by name: the names of labels of any kind, and the classes of the training split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered import numbered_image, opened, png

from zoo.config.sections import DataConfig
from zoo.data import Dataset, open_data
from zoo.data.classes import Classes, classes_by_position, classes_of, numbered
from zoo.data.source import StoredSplit
from zoo.data.tables.arrays import ArrayImages

IMAGES = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(1, 4, 4, 3)


def folders(root: Path, tree: dict[str, int]) -> Path:
    """Makes a PNG for each image of ``tree``, a number by folder."""
    count = 0
    for name, images in tree.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for _ in range(images):
            (root / name / f"{count}.png").write_bytes(png(numbered_image(count)))
            count += 1
    return root


def of(names: list[str], known: list[str] | None = None, **labels: list[int]) -> Classes:
    """The classes of splits with these labels; test and validation may be left out."""
    columns = {"train": [], "validation": [], "test": []} | labels
    splits = {
        split: StoredSplit(
            ArrayImages(IMAGES.repeat(len(column), 0), split), np.array(column, np.int64)
        )
        for split, column in columns.items()
    }
    return classes_of(splits, names, known)


@pytest.mark.parametrize(
    ("labels", "names", "indices"),
    [
        (["b", "a", None], ("a", "b"), [1, 0, -1]),
        ([10, 9, 2], ("2", "9", "10"), [2, 1, 0]),
        (["10", "9", "2"], ("2", "9", "10"), [2, 1, 0]),
        (["10", "9", "two"], ("10", "9", "two"), [0, 1, 2]),
        ([-1, 0, 3], ("0", "3"), [-1, 0, 1]),
        ([-2, -1, 3], ("-2", "3"), [0, -1, 1]),
        ([3.0, float("nan"), 1.0, -1.0], ("1", "3"), [1, -1, 0, -1]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        ([b"cat", b"caf\xe9"], ("caf\\xe9", "cat"), [1, 0]),
        (["cafe\u0301", "caf\xe9", "dog"], ("caf\xe9", "dog"), [0, 0, 1]),
        ([np.int64(7), np.str_("x"), ""], ("7", "x"), [0, 1, -1]),
        (["007", "7", "11"], ("007", "7", "11"), [0, 1, 2]),
    ],
)
def test_labels_of_any_kind_have_names(
    labels: list[Any], names: tuple[str, ...], indices: list[int]
) -> None:
    columns, found = numbered({"train": labels})
    assert found == names
    assert columns["train"].tolist() == indices


@pytest.mark.parametrize("label", [0.5, [1], {"a": 1}, float("inf")])
def test_what_is_neither_a_word_nor_an_integer_is_refused(label: object) -> None:
    with pytest.raises(TypeError, match=f"labels of type {type(label).__name__}"):
        numbered({"train": ["a", label]})


def test_folders_of_integers_are_in_the_order_of_their_values(tmp_path: Path) -> None:
    data = opened(folders(tmp_path, {str(i): 3 for i in range(12)}), layout="classes")
    assert data.image_spec.class_names == tuple(map(str, range(12)))


def test_a_class_of_the_test_split_alone_is_none_and_noted() -> None:
    classes = of(["cat", "dog", "unknown"], train=[0, 1, 1], test=[2, 0, 2])
    assert classes.names == ("cat", "dog")
    assert classes.labels["test"].tolist() == [-1, 0, -1]
    assert classes.notes == (
        "The class unknown has no training images: its images have no label (2 in test).",
    )


def test_a_class_label_keeps_its_order_without_classes_that_are_not_trained_on() -> None:
    classes = of(["zebra", "cat", "ant"], train=[2, 0, 0], validation=[1], test=[1, 2])
    assert classes.names == ("zebra", "ant")
    assert classes.labels["train"].tolist() == [1, 0, 0]
    assert classes.labels["test"].tolist() == [-1, 1]
    assert "1 in validation, 1 in test" in classes.notes[0]


def test_labels_out_of_range_are_none() -> None:
    classes = of(["cat", "dog"], train=[0, 1, 255, -7, -1])
    assert classes.labels["train"].tolist() == [0, 1, -1, -1, -1]
    assert classes.notes == ("3 of 5 training images have no label.",)


@pytest.mark.parametrize(
    ("names", "labels", "notes"),
    [
        ([], [-1, -1], ()),
        (["cat"], [0, 0], ()),
        (
            ["cat", "dog"],
            [0, 0],
            ("Labels were left out: all training images are of one class, cat.",),
        ),
    ],
)
def test_fewer_than_two_classes_are_none(
    names: list[str], labels: list[int], notes: tuple[str, ...]
) -> None:
    classes = of(names, train=labels, test=[len(names) - 1])
    assert (classes.names, classes.notes) == ((), notes)
    assert classes.labels["test"].tolist() == [-1]


def test_classes_are_matched_to_those_of_a_run_by_name() -> None:
    classes = of(["dog", "eel"], ["cat", "dog", "eel"], train=[0, 1], test=[1, 0])
    assert classes.names == ("cat", "dog", "eel")
    assert classes.labels["test"].tolist() == [2, 1]
    assert (classes.notes, classes.unknown) == ((), ())


def test_classes_that_a_run_does_not_know_have_no_label() -> None:
    classes = of(["ant", "bee", "cat"], ["cat", "dog"], train=[0, 2, 2], test=[1, 2])
    assert classes.labels["train"].tolist() == [-1, 0, 0]
    assert classes.labels["test"].tolist() == [-1, 0]
    assert classes.unknown == ("ant",)
    assert classes.notes == (
        "The classes ant, bee are unknown to the run: their images have no label "
        "(1 in train, 1 in test).",
    )


def test_one_class_of_a_run_is_enough() -> None:
    """A set of cats alone is scored as cats, not as the first class."""
    classes = of(["dog"], ["cat", "dog"], train=[0], test=[0])
    assert classes.labels["test"].tolist() == [1]


def test_integers_beyond_the_classes_of_a_run_have_no_label() -> None:
    classes = of(["1", "2", "30"], ["1", "2"], train=[0, 1], test=[2, 1])
    assert classes.labels["test"].tolist() == [-1, 1]


def test_open_data_matches_the_names_of_a_run(tmp_path: Path) -> None:
    source = folders(tmp_path, {"train/dog": 4, "train/eel": 4, "test/eel": 2, "test/fox": 1})
    config = DataConfig(source=str(source), layout="splits")

    def labels(data: Dataset) -> list[int]:
        return data.splits["test"].labels.tolist()

    own = open_data(config)
    assert own.image_spec.class_names == ("dog", "eel")
    assert labels(own) == [1, 1, -1]
    matched = open_data(config, class_names=("cat", "dog", "eel"))
    assert matched.image_spec.class_names == ("cat", "dog", "eel")
    assert labels(matched) == [2, 2, -1]
    assert any("fox is unknown to the run" in note for note in matched.notes)


def test_before_version_3_classes_were_those_of_all_splits_in_alphabetical_order() -> None:
    images = ArrayImages(IMAGES.repeat(3, 0), "x")
    splits = {
        "train": StoredSplit(images, np.array([0, 1, 1])),
        "test": StoredSplit(images, np.array([2, 2, 0])),
    }
    by_folders = classes_by_position(splits, ("2", "9", "10"), folders=True)
    assert by_folders.names == ("10", "2", "9")
    assert by_folders.labels["train"].tolist() == [1, 2, 2]
    assert by_folders.labels["test"].tolist() == [0, 0, 1]
    assert classes_by_position(splits, ("2", "9", "10"), folders=False).names == ("2", "9", "10")
