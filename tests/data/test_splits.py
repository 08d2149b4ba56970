"""Splits of every kind of source: as named, or taken from training by the split rule."""

from __future__ import annotations

import itertools
import multiprocessing
import operator
from pathlib import Path

import pytest
from numbered import (
    KINDS,
    Maker,
    make_folder,
    make_npz,
    make_parquet,
    number,
    numbers,
    opened,
)

from zoo.config.sections import DataConfig
from zoo.data import ResidentSplit, StreamedSplit, open_data
from zoo.errors import ZooError


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("resident_gib", [4.0, 0.0])
def test_named_splits_are_kept(make: Maker, resident_gib: float, tmp_path: Path) -> None:
    source = make(tmp_path, {"train": 25, "validation": 4, "test": 3})
    data = opened(source, resident_gib=resident_gib)
    assert numbers(data) == {
        "train": list(range(25)),
        "validation": [25, 26, 27, 28],
        "test": [29, 30, 31],
    }
    kind = ResidentSplit if resident_gib else StreamedSplit
    assert all(type(split) is kind for split in data.splits.values())
    assert (data.image_spec.channels, data.image_spec.size, data.image_spec.classes) == (3, 8, 0)
    assert data.name == {"faces": "faces", "table": "table", "set.npz": "set"}[source.name]
    assert data.splits["train"][3][1] == -1
    assert data.notes == ()


@pytest.mark.parametrize("make", KINDS)
def test_a_missing_validation_split_is_taken_from_training(make: Maker, tmp_path: Path) -> None:
    splits = numbers(opened(make(tmp_path, {"train": 45, "test": 5})))
    assert splits["validation"] == [19, 39]
    assert splits["test"] == [45, 46, 47, 48, 49]
    assert splits["train"] == [i for i in range(45) if i not in (19, 39)]


@pytest.mark.parametrize("make", KINDS)
def test_a_missing_test_split_is_taken_from_training(make: Maker, tmp_path: Path) -> None:
    splits = numbers(opened(make(tmp_path, {"train": 45, "validation": 2})))
    assert splits["test"] == [9, 29]
    assert splits["validation"] == [45, 46]
    assert splits["train"] == [i for i in range(45) if i not in (9, 29)]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("only", ["train", "test"])
def test_one_split_is_divided_in_three(make: Maker, only: str, tmp_path: Path) -> None:
    splits = numbers(opened(make(tmp_path, {only: 45})))
    assert splits["test"] == [9, 29]
    assert splits["validation"] == [19, 39]
    assert sorted(itertools.chain(*splits.values())) == list(range(45))


@pytest.mark.parametrize("make", KINDS)
def test_a_source_without_training_images_is_an_error(make: Maker, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"no training images, only (validation|test)"):
        opened(make(tmp_path, {"validation": 3, "test": 3}))


def test_no_image_is_in_two_splits() -> None:
    data = open_data(DataConfig())
    contents = [
        {split[i][0].tobytes() for i in range(len(split))} for split in data.splits.values()
    ]
    assert [len(images) for images in contents] == [1618, 89, 90]
    assert len(set().union(*contents)) == 1797


def test_a_spawned_process_reads_streamed_splits(tmp_path: Path) -> None:
    """macOS and Windows spawn the workers."""
    makers = (make_folder, make_parquet, make_npz)
    sources = [make(tmp_path, {"train": 25, "test": 3}) for make in makers]
    splits = [opened(source, resident_gib=0.0).splits["test"] for source in sources]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        read = pool.starmap(operator.getitem, [(split, 2) for split in splits])
    assert [number(image) for image, _ in read] == [27, 27, 27]
