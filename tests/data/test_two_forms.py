"""Data in several forms at once: none vanishes without a word."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numbered import number, numbered_image, numbers, opened, png
from PIL import Image
from trees import classes_of, left_out, make_tree, source_of

from zoo.errors import UsageError, ZooError


def cells(start: int, count: int, size: int = 8) -> list[bytes]:
    return [png(numbered_image(i, size)) for i in range(start, start + count)]


def bmp(pixels: np.ndarray) -> bytes:
    """Returns an image without compression, of the same size for all pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    return buffer.getvalue()


def write(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def featured(path: Path, features: dict[str, Any], **columns: Any) -> Path:
    import datasets

    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    pq.write_table(table.data.table, path)
    return path


# Images beside tables.


def test_images_beside_a_parquet_file_are_an_error_and_a_setting_decides(tmp_path: Path) -> None:
    make_tree(tmp_path, ["*50"])
    write(tmp_path / "five.parquet", image=cells(0, 5))
    with pytest.raises(ZooError, match=r"50 images .* beside the parquet file five\.parquet: name"):
        source_of(tmp_path)
    images = source_of(tmp_path, layout="images")
    assert (len(images.splits["train"]), images.kind) == (50, "a folder of images")
    assert left_out(images) == ["the parquet file five.parquet: data.layout reads the images"]
    table = source_of(tmp_path, column="image")
    assert (len(table.splits["train"]), table.kind) == (5, "a folder of parquet files")
    assert left_out(table) == ["50 images (0.png, ...): data.column reads the parquet files"]
    assert len(source_of(tmp_path / "five.parquet").splits["train"]) == 5


def test_images_that_a_parquet_file_refers_to_are_its_own(tmp_path: Path) -> None:
    make_tree(tmp_path, ["photos/*3"])
    paths = [{"bytes": None, "path": f"photos/{i}.png"} for i in range(3)]
    image = pa.array(paths, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    write(tmp_path / "a.parquet", image=image, label=["x", "y", "x"])
    source = source_of(tmp_path)
    assert classes_of(source) == {"train": {"x": 2, "y": 1}}
    assert left_out(source) == []
    assert len(opened(tmp_path).splits["train"]) > 0


@pytest.mark.parametrize("where", ["absolute", "above", "linked"])
def test_a_parquet_file_reads_no_image_outside_of_its_folder(where: str, tmp_path: Path) -> None:
    make_tree(tmp_path / "private", ["*1"])
    (data := tmp_path / "data").mkdir()
    (data / "link.png").symlink_to(tmp_path / "private/0.png")
    path = {
        "absolute": str(tmp_path / "private/0.png"),
        "above": "../private/0.png",
        "linked": "link.png",
    }[where]
    image = pa.array([{"bytes": None, "path": path}] * 3, pa.struct(
        {"bytes": pa.binary(), "path": pa.string()}
    ))  # fmt: skip
    write(data / "a.parquet", image=image)
    with pytest.raises(ZooError, match="which is not in the folder of the data: put it there"):
        opened(data / "a.parquet")


def test_parquet_files_beside_those_of_splits_are_an_error(tmp_path: Path) -> None:
    for index, name in enumerate(("train", "test", "part2")):
        write(tmp_path / f"{name}.parquet", image=cells(10 * index, 3))
    with pytest.raises(ZooError, match=r"part2\.parquet beside files of splits: .*layout=splits"):
        source_of(tmp_path)
    source = source_of(tmp_path, layout="splits")
    assert classes_of(source) == {"train": {None: 3}, "test": {None: 3}}
    assert left_out(source) == ["the parquet file part2.parquet: no split in the name"]
    assert classes_of(source_of(tmp_path, layout="images")) == {"train": {None: 9}}


# Columns.


def test_the_column_of_images_is_not_that_of_masks(tmp_path: Path) -> None:
    import datasets

    path = featured(
        tmp_path / "a.parquet",
        {"mask": datasets.Image(), "image": datasets.Image()},
        mask=cells(100, 2),
        image=cells(0, 2),
    )
    source = source_of(path)
    assert (source.column, source.kind) == ("image", "a parquet file")
    assert left_out(source) == ["the column mask: images of another column are used"]
    assert numbers(opened(path))["train"] == [0, 1]
    assert numbers(opened(path, column="mask"))["train"] == [100, 101]
    assert source_of(path, column="mask").column == "mask"

    path = featured(
        tmp_path / "b.parquet",
        {"segmentation_mask": datasets.Image(), "photo": datasets.Image()},
        segmentation_mask=cells(100, 2),
        photo=cells(0, 2),
    )
    assert source_of(path).column == "photo"


def test_several_columns_of_images_are_an_error(tmp_path: Path) -> None:
    import datasets

    columns = {"left": cells(0, 2), "right": cells(10, 2)}
    features = {"left": datasets.Image(), "right": datasets.Image()}
    path = featured(tmp_path / "a.parquet", features, **columns)
    with pytest.raises(ZooError, match=r"several columns of images, left, right: .*column=left"):
        source_of(path)
    assert numbers(opened(path, column="right"))["train"] == [10, 11]
    with pytest.raises(UsageError, match=r"data\.column is 'rigth', .* did you mean 'right'\?"):
        source_of(path, column="rigth")


def test_columns_that_are_not_used_are_said(tmp_path: Path) -> None:
    from datasets import ClassLabel, Value

    table = {"image": cells(0, 2), "fine_label": [3, 4], "coarse_label": [0, 1], "id": [8, 9]}
    features = {"image": Value("binary"), "fine_label": Value("int64"), "id": Value("int64")}
    features["coarse_label"] = ClassLabel(names=["a", "b"])
    path = featured(tmp_path / "a.parquet", features, **table)
    source = source_of(path)
    assert classes_of(source) == {"train": {"3": 1, "4": 1}}
    assert left_out(source) == [
        "the column 'coarse_label': labels are those of 'fine_label'",
        "the column id: neither images nor labels",
    ]


LABELED: list[Any] = [
    ([b"dog", b"cat"], {"dog": 1, "cat": 1}),
    ([1.0, None], {"1": 1, None: 1}),
    ([[0, 1], [1, 0]], {"1": 1, "0": 1}),
    (pa.array(["b", "a"]).dictionary_encode(), {"b": 1, "a": 1}),
    ([True, False], {"True": 1, "False": 1}),
]


@pytest.mark.parametrize(("labels", "classes"), LABELED)
def test_labels_of_any_type_are_names(labels: Any, classes: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", image=cells(0, 2), label=labels)
    assert classes_of(source_of(path)) == {"train": classes}


def test_labels_that_are_no_classes_give_way_to_the_next_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", image=cells(0, 2), label=[0.5, 1], target=["x", "y"])
    source = source_of(path)
    assert classes_of(source) == {"train": {"x": 1, "y": 1}}
    assert left_out(source) == ["the column 'label': it does not contain classes"]


def test_files_may_number_classes_differently(tmp_path: Path) -> None:
    from datasets import ClassLabel, Value

    for name, names in {"train": ["cat", "dog"], "test": ["dog", "eel", "cat"]}.items():
        features = {"image": Value("binary"), "label": ClassLabel(names=names)}
        path = tmp_path / f"{name}.parquet"
        featured(path, features, image=cells(0, 2), label=[0, 1])
    source = source_of(tmp_path)
    assert source.class_names == ("cat", "dog", "eel")
    assert classes_of(source) == {"train": {"cat": 1, "dog": 1}, "test": {"dog": 1, "eel": 1}}


# Files that are replaced.


@pytest.mark.parametrize("in_folder", [False, True])
def test_a_replaced_file_of_the_same_time_is_read_anew(in_folder: bool, tmp_path: Path) -> None:
    path = tmp_path / "data/train-1.parquet"
    write(tmp_path / "data/train-0.parquet", image=cells(0, 2))
    sizes = set()
    for start in (10, 30, 10):
        table = pa.table({"image": [bmp(numbered_image(start + i)) for i in range(3)]})
        pq.write_table(table, path, compression="none", use_dictionary=False)
        sizes.add(path.stat().st_size)
        os.utime(path, (10**9, 10**9))
        data = opened(tmp_path / "data" if in_folder else path, split_rule="position")
        first = [0, 1] if in_folder else []
        assert numbers(data)["train"] == [*first, start, start + 1, start + 2]
    assert len(sizes) == 1


# A file of labels beside images.


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_metadata_has_the_labels(suffix: str, tmp_path: Path) -> None:
    rows = [{"file_name": f"{i}.png", "label": label, "text": "?"} for i, label in enumerate("bab")]
    make_tree(tmp_path, ["train/*3", "test/*1"])
    path = tmp_path / f"train/metadata.{suffix}"
    if suffix == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    elif suffix == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    source = source_of(tmp_path)
    assert classes_of(source) == {"train": {"a": 1, "b": 2}, "test": {None: 1}}
    assert source.kind == "a folder of splits with a file of labels"
    assert source.notes == (f"Labels are those of the column 'label' in train/metadata.{suffix}.",)
    assert left_out(source) == [f"text in train/metadata.{suffix}: columns without labels"]


def test_metadata_wins_over_class_folders_unless_the_layout_says_so(tmp_path: Path) -> None:
    make_tree(tmp_path, ["x/*2", "y/*2"])
    rows = [{"file_name": f"{f}/{i}.png", "label": i} for f in "xy" for i in range(2)]
    lines = [json.dumps(row) for row in [*rows, {"file_name": "gone.png", "label": 1}]]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    source = source_of(tmp_path)
    assert (source.layout, classes_of(source)) == ("images", {"train": {"0": 2, "1": 2}})
    assert left_out(source) == ["the image gone.png: no such file, though metadata names it"]
    assert "Folders have no meaning beside a file of labels" in source.notes[-1]
    source = source_of(tmp_path, layout="classes")
    assert classes_of(source) == {"train": {"x": 2, "y": 2}}
    assert left_out(source) == ["the file metadata.jsonl: data.layout=classes reads folders"]


def test_metadata_without_labels_leaves_folders_their_meaning(tmp_path: Path) -> None:
    make_tree(tmp_path, ["x/*1", "y/*1"])
    (tmp_path / "metadata.csv").write_text("file_name,text\nx/0.png,hello\n")
    source = source_of(tmp_path)
    assert classes_of(source) == {"train": {"x": 1, "y": 1}}
    assert left_out(source) == ["text in metadata.csv: columns without labels"]
    (tmp_path / "metadata.csv").write_text("id,label\n1,2\n")
    assert left_out(source_of(tmp_path)) == ["the file metadata.csv: it has no column file_name"]
    (tmp_path / "metadata.csv").unlink()
    (tmp_path / "metadata.jsonl").write_text("{")
    with pytest.raises(ZooError, match=r"metadata\.jsonl cannot be read \(.*\): repair or remove"):
        source_of(tmp_path)


def test_other_tables_beside_images_are_left_out(tmp_path: Path) -> None:
    make_tree(tmp_path, ["*2"])
    for name in ("labels.csv", "_annotations.coco.json"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    assert [part.what for part in source_of(tmp_path).left_out] == [
        "the file _annotations.coco.json",
        "the file labels.csv",
    ]


# Folders of datasets.


@pytest.mark.parametrize("splits", [True, False])
def test_a_folder_of_save_to_disk_is_read(splits: bool, tmp_path: Path) -> None:
    import datasets

    datasets.utils.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    columns = {"image": cells(0, 3), "label": ["b", "a", "b"]}
    table = datasets.Dataset.from_dict(columns, features=features)
    if splits:
        table = datasets.DatasetDict({"train": table, "test": table.select([0])})
    table.save_to_disk(tmp_path / "saved")
    datasets.utils.enable_progress_bars()
    source = source_of(tmp_path / "saved")
    assert (source.kind, source.name) == ("a folder of save_to_disk", "saved")
    assert classes_of(source)["train"] == {"a": 1, "b": 2}
    assert ("test" in source.splits) == splits
    assert number(np.asarray(source.splits["train"].images.open(2)).transpose(2, 0, 1)) == 2
