"""Splits of every kind of source: as named, or taken from the training images."""

from __future__ import annotations

import itertools
import multiprocessing
import operator
from pathlib import Path

import numpy as np
import pytest
from numbered import (
    KINDS,
    Maker,
    make_folder,
    make_npz,
    make_parquet,
    number,
    numbered_image,
    numbers,
    opened,
    png,
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
@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"train": 45, "test": 5}, {"validation": [19, 39], "test": [45, 46, 47, 48, 49]}),
        ({"train": 45, "validation": 2}, {"validation": [45, 46], "test": [9, 29]}),
        ({"train": 45}, {"validation": [19, 39], "test": [9, 29]}),
        ({"test": 45}, {"validation": [19, 39], "test": [9, 29]}),
        ({"test": 9}, {"validation": [], "test": []}),
    ],
)
def test_old_runs_take_missing_splits_by_position(
    make: Maker, named: dict[str, int], expected: dict[str, list[int]], tmp_path: Path
) -> None:
    splits = numbers(opened(make(tmp_path, named), split_rule="position"))
    taken = {split: splits[split] for split in expected}
    assert taken == expected
    assert sorted(itertools.chain(*splits.values())) == list(range(sum(named.values())))
    assert splits["train"] == sorted(splits["train"])


@pytest.mark.parametrize("resident_gib", [4.0, 0.0])
def test_splits_are_the_same_in_every_container(tmp_path: Path, resident_gib: float) -> None:
    named = {"train": 90, "test": 7}
    first, *others = (
        numbers(opened(kind.values[0](tmp_path, named), resident_gib=resident_gib))
        for kind in KINDS
    )
    assert others == [first, first]
    assert {split: len(images) for split, images in first.items()} == {
        "train": 85,
        "validation": 5,
        "test": 7,
    }
    assert first["test"] == list(range(90, 97))
    assert first["train"] == sorted(first["train"])


@pytest.mark.parametrize("only", ["train", "test"])
def test_one_split_is_divided_in_three(only: str, tmp_path: Path) -> None:
    splits = numbers(opened(make_npz(tmp_path, {only: 45})))
    assert [len(images) for images in splits.values()] == [41, 2, 2]
    assert sorted(itertools.chain(*splits.values())) == list(range(45))


def test_names_and_order_of_files_do_not_matter(tmp_path: Path) -> None:
    names = np.random.default_rng(0).permutation(200)
    for folder, rename in ("a", str), ("b", lambda i: f"{names[i]}-{i}"):
        (tmp_path / folder).mkdir()
        for i in range(200):
            (tmp_path / folder / f"{rename(i)}.png").write_bytes(png(numbered_image(i)))
    first, second = (numbers(opened(tmp_path / folder)) for folder in "ab")
    assert first["train"] != second["train"]
    assert {k: sorted(v) for k, v in first.items()} == {k: sorted(v) for k, v in second.items()}


def test_another_seed_takes_other_images(tmp_path: Path) -> None:
    config = DataConfig(source=str(make_npz(tmp_path, {"train": 200})))
    first, again, other = (numbers(open_data(config, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first["test"] != other["test"]


@pytest.mark.parametrize(
    "labels", [np.arange(1000) % 10, np.arange(1000) // 100], ids=["in turn", "in order"]
)
def test_every_class_is_in_every_split(labels: np.ndarray, tmp_path: Path) -> None:
    images = np.stack([numbered_image(i) for i in range(1000)])
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    data = opened(tmp_path / "a.npz")
    for split, count in {"train": 90, "validation": 5, "test": 5}.items():
        assert np.bincount(data.splits[split].labels).tolist() == [count] * 10
        taken = numbers(data)[split]
        np.testing.assert_array_equal(data.splits[split].labels, labels[taken])


def test_the_digits_have_their_share_of_every_class() -> None:
    data = open_data(DataConfig())
    for split in ("validation", "test"):
        assert np.bincount(data.splits[split].labels).tolist() == [9] * 10
    assert len(data.splits["train"]) == 1617


def test_ids_name_images_whatever_the_seed_and_rule(tmp_path: Path) -> None:
    source = make_folder(tmp_path, {"train": 50, "test": 4})
    (source / "test" / "copy.png").write_bytes(png(numbered_image(3)))
    by_number: dict[int, str] = {}
    for options in ({}, {"resident_gib": 0.0}, {"split_rule": "position"}):
        data = open_data(DataConfig(source=str(source), **options), seed=len(options), ids=True)
        assert list(data.ids) == ["train", "validation", "test"]
        for split, images in numbers(data).items():
            for number_, id_ in zip(images, data.ids[split], strict=True):
                assert by_number.setdefault(number_, id_) == id_
    assert len(set(by_number.values())) == len(by_number) == 54
    assert opened(source).ids == {}
    assert "1 of 5 test images is also in the train split of the source." in opened(source).notes


def test_only_the_splits_that_are_needed_are_read(tmp_path: Path) -> None:
    source = make_folder(tmp_path, {"train": 300, "test": 4})
    config = DataConfig(source=str(source), resident_gib=0.0)
    calls: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        calls.append((done, total))

    data = open_data(config, report, splits=["test"])
    assert list(data.splits) == ["test"]
    assert calls[-1] == (4, 4)
    data = open_data(config, report, splits=["validation"])
    assert numbers(data)["validation"] == numbers(open_data(config))["validation"]
    assert calls[-1] == (300, 300)


@pytest.mark.parametrize("make", KINDS)
def test_a_source_without_training_images_is_an_error(make: Maker, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"no training images, only (validation|test)"):
        opened(make(tmp_path, {"validation": 3, "test": 3}))


@pytest.mark.parametrize("resident_gib", [4.0, 0.0])
def test_no_image_is_in_two_splits(resident_gib: float, tmp_path: Path) -> None:
    images = np.stack([numbered_image(i // 2) for i in range(200)])
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(200) % 3)
    splits = numbers(opened(tmp_path / "a.npz", resident_gib=resident_gib))
    contents = [set(images) for images in splits.values()]
    assert all(contents)
    assert sum(map(len, contents)) == len(set().union(*contents)) == 100


def test_a_spawned_process_reads_streamed_splits(tmp_path: Path) -> None:
    """macOS and Windows spawn the workers."""
    makers = (make_folder, make_parquet, make_npz)
    sources = [make(tmp_path, {"train": 25, "test": 3}) for make in makers]
    splits = [opened(source, resident_gib=0.0).splits["test"] for source in sources]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        read = pool.starmap(operator.getitem, [(split, 2) for split in splits])
    assert [number(image) for image, _ in read] == [27, 27, 27]
