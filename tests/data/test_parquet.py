"""Parquet files: columns, labels, and the cell that is no picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numbered import (
    numbers,
    opened,
    picture,
    png,
)

from zoo.errors import ZooError


def write_parquet(path: Path, columns: dict[str, Any], features: Any = None) -> Path:
    import datasets

    datasets.utils.disable_progress_bars()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(path)
    datasets.utils.enable_progress_bars()
    return path


def test_parquet_with_features(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from datasets import ClassLabel, Features, Image, Value

    write_parquet(
        tmp_path / "some.parquet",
        {"id": [5, 6], "photo": [png(picture(i)) for i in range(2)], "fine_label": [1, 0]},
        Features(
            {"id": Value("int64"), "photo": Image(), "fine_label": ClassLabel(names=["x", "y"])}
        ),
    )
    capfd.readouterr()
    data = opened(tmp_path / "some.parquet")
    assert capfd.readouterr().err == ""
    assert numbers(data)["train"] == [0, 1]
    assert data.class_names == ("x", "y")
    assert data.splits["train"].labels.tolist() == [1, 0]
    assert data.name == "some"


def test_parquet_of_bytes_words_and_lists(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "a.parquet",
        {"img": [png(picture(i)) for i in range(3)], "label": ["dog", "cat", "dog"]},
    )
    data = opened(tmp_path / "a.parquet")
    assert numbers(data)["train"] == [0, 1, 2]
    assert data.class_names == ("cat", "dog")
    assert data.splits["train"].labels.tolist() == [1, 0, 1]

    write_parquet(
        tmp_path / "b.parquet",
        {"image": [picture(i).tolist() for i in range(3)], "label": [[0.5], [1.0], [2.0]]},
    )
    data = opened(tmp_path / "b.parquet", resident_gib=0)
    assert numbers(data)["train"] == [0, 1, 2]
    assert data.image.classes == 0
    assert data.notes[0] == "The column 'label' holds no classes and was left out."


def test_parquet_whose_test_labels_are_unknown(tmp_path: Path) -> None:
    for name, labels in {"train": [0, 1, 2], "test": [-1, -1, -1]}.items():
        from datasets import ClassLabel, Features, Value

        write_parquet(
            tmp_path / f"{name}.parquet",
            {"image": [png(picture(i)) for i in range(3)], "label": labels},
            Features({"image": Value("binary"), "label": ClassLabel(names=["a", "b", "c"])}),
        )
    data = opened(tmp_path)
    assert data.image.classes == 3
    assert data.splits["test"].labels.tolist() == [-1, -1, -1]


def test_parquet_with_labels_for_some_pictures(tmp_path: Path) -> None:
    cells = [png(picture(i)) for i in range(3)]
    write_parquet(tmp_path / "a.parquet", {"image": cells, "label": [4, None, 6]})
    data = opened(tmp_path / "a.parquet")
    assert data.image.classes == 0
    assert data.splits["train"].labels.tolist() == [-1, -1, -1]
    assert data.notes == ("Labels were left out: some training pictures have none.",)


@pytest.mark.parametrize("cell", [None, b"junk"])
@pytest.mark.parametrize("resident_gib", [4.0, 0.0])
def test_parquet_names_file_and_row(cell: Any, resident_gib: float, tmp_path: Path) -> None:
    good = [png(picture(i)) for i in range(3)]
    write_parquet(tmp_path / "train-00000-of-00002.parquet", {"image": good})
    write_parquet(tmp_path / "train-00001-of-00002.parquet", {"image": [*good, cell]})
    with pytest.raises(ZooError, match=r"^row 3 of .*train-00001-of-00002\.parquet (is|has) no"):
        opened(tmp_path, resident_gib=resident_gib)


def test_parquet_that_cannot_be_used(tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"junk")
    with pytest.raises(ZooError, match=r"bad\.parquet is no parquet file that can be read \("):
        opened(bad)
    text = write_parquet(tmp_path / "text.parquet", {"text": ["a"], "label": [1]})
    with pytest.raises(ZooError, match=r"no column of pictures, only text, label: call it image"):
        opened(text)
    write_parquet(tmp_path / "two/train.parquet", {"image": [png(picture(0))]})
    write_parquet(tmp_path / "two/test.parquet", {"other": [png(picture(0))]})
    with pytest.raises(
        ZooError, match=r"two cannot be read by datasets \(.*same columns"
    ) as caught:
        opened(tmp_path / "two")
    assert "\n" not in str(caught.value)
