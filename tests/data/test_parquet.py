"""Parquet files: columns, labels, and cells that are not images."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from numbered import (
    numbered_image,
    numbers,
    opened,
    png,
)

from zoo.config.sections import DataConfig
from zoo.data.find import find_source
from zoo.errors import ZooError


def write_parquet(path: Path, columns: dict[str, Any], features: Any = None) -> Path:
    import datasets

    datasets.utils.disable_progress_bars()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(path)
    datasets.utils.enable_progress_bars()
    return path


def test_columns_by_their_features(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from datasets import ClassLabel, Features, Image, Value

    write_parquet(
        tmp_path / "some.parquet",
        {"id": [5, 6], "photo": [png(numbered_image(i)) for i in range(2)], "fine_label": [1, 0]},
        Features(
            {"id": Value("int64"), "photo": Image(), "fine_label": ClassLabel(names=["x", "y"])}
        ),
    )
    capfd.readouterr()
    data = opened(tmp_path / "some.parquet")
    assert capfd.readouterr().err == ""
    assert numbers(data)["train"] == [0, 1]
    assert data.image_spec.class_names == ("x", "y")
    assert data.splits["train"].labels.tolist() == [1, 0]
    assert data.name == "some"


def test_columns_of_bytes_words_and_lists(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "a.parquet",
        {"img": [png(numbered_image(i)) for i in range(3)], "label": ["dog", "cat", "dog"]},
    )
    data = opened(tmp_path / "a.parquet")
    assert numbers(data)["train"] == [0, 1, 2]
    assert data.image_spec.class_names == ("cat", "dog")
    assert data.splits["train"].labels.tolist() == [1, 0, 1]

    write_parquet(
        tmp_path / "b.parquet",
        {"image": [numbered_image(i).tolist() for i in range(3)], "label": [[0.5], [1.0], [2.0]]},
    )
    data = opened(tmp_path / "b.parquet", resident_gib=0)
    assert sorted(itertools.chain(*numbers(data).values())) == [0, 1, 2]
    assert data.image_spec.classes == 0
    left_out = find_source(DataConfig(source=str(tmp_path / "b.parquet"))).left_out
    assert [(part.what, part.why) for part in left_out] == [
        ("the column 'label'", "it does not contain classes")
    ]


def test_test_labels_may_be_missing(tmp_path: Path) -> None:
    for name, labels in {"train": [0, 1, 2], "test": [-1, -1, -1]}.items():
        from datasets import ClassLabel, Features, Value

        write_parquet(
            tmp_path / f"{name}.parquet",
            {"image": [png(numbered_image(i)) for i in range(3)], "label": labels},
            Features({"image": Value("binary"), "label": ClassLabel(names=["a", "b", "c"])}),
        )
    data = opened(tmp_path)
    assert data.image_spec.classes == 3
    assert data.splits["test"].labels.tolist() == [-1, -1, -1]


def test_missing_labels_of_training_images_are_noted(tmp_path: Path) -> None:
    cells = [png(numbered_image(i)) for i in range(3)]
    write_parquet(tmp_path / "a.parquet", {"image": cells, "label": [4, None, 6]})
    data = opened(tmp_path / "a.parquet")
    assert data.image_spec.class_names == ("4", "6")
    assert data.splits["train"].labels.tolist() == [0, -1, 1]
    assert data.notes == ("1 of 3 training images have no label.",)


@pytest.mark.parametrize("cell", [None, b"junk"])
@pytest.mark.parametrize("resident_gib", [4.0, 0.0])
def test_an_error_names_file_and_row(cell: Any, resident_gib: float, tmp_path: Path) -> None:
    good = [png(numbered_image(i)) for i in range(3)]
    write_parquet(tmp_path / "train-00000-of-00002.parquet", {"image": good})
    write_parquet(tmp_path / "train-00001-of-00002.parquet", {"image": [*good, cell]})
    with pytest.raises(
        ZooError, match=r"^row 3 of .*train-00001-of-00002\.parquet (is not an|has no) image"
    ):
        opened(tmp_path, resident_gib=resident_gib)


def test_unusable_files_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"junk")
    with pytest.raises(ZooError, match=r"bad\.parquet is not a readable parquet file \("):
        opened(bad)
    text = write_parquet(tmp_path / "text.parquet", {"text": ["a"], "label": [1]})
    with pytest.raises(ZooError, match=r"no column of images, only text, label: call it image"):
        opened(text)
    write_parquet(tmp_path / "two/train.parquet", {"image": [png(numbered_image(0))]})
    write_parquet(tmp_path / "two/test.parquet", {"other": [png(numbered_image(0))]})
    with pytest.raises(
        ZooError, match=r"test\.parquet has no column 'image', as train\.parquet has, only other"
    ) as caught:
        opened(tmp_path / "two")
    assert "\n" not in str(caught.value)
