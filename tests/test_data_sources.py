"""Every kind of source: what is read, how it is split, and the sentence where it cannot be."""

from __future__ import annotations

import io
import itertools
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoo.config import DataConfig
from zoo.data import Dataset, ResidentSplit, StreamedSplit, open_data
from zoo.errors import UsageError, ZooError

Maker = Callable[[Path, dict[str, int]], Path]


def picture(number: int, size: int = 8) -> np.ndarray:
    """A picture like no other: its first pixels spell ``number``."""
    pixels = np.full((size, size, 3), 40, np.uint8)
    pixels[0, 0] = (number % 256, number // 256, 7)
    return pixels


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def number(pixels: np.ndarray) -> int:
    return int(pixels[0, 0, 0]) + 256 * int(pixels[1, 0, 0])


def numbers(data: Dataset) -> dict[str, list[int]]:
    return {
        name: [number(split[i][0]) for i in range(len(split))]
        for name, split in data.splits.items()
    }


def opened(source: object, **options: Any) -> Dataset:
    return open_data(DataConfig(source=str(source), **options))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


# The same pictures, numbered over all splits, in each kind of source.


def make_folder(root: Path, splits: dict[str, int]) -> Path:
    first = 0
    for split, count in splits.items():
        folder = root / "faces" / split
        folder.mkdir(parents=True)
        for i in range(first, first + count):
            (folder / f"{i:05}.png").write_bytes(png(picture(i)))
        first += count
    return root / "faces"


def make_parquet(root: Path, splits: dict[str, int]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = root / "table" / "data"
    folder.mkdir(parents=True)
    first = 0
    for split, count in splits.items():
        cells = [{"bytes": png(picture(i)), "path": None} for i in range(first, first + count)]
        pq.write_table(pa.table({"image": cells}), folder / f"{split}-00000-of-00001.parquet")
        first += count
    return folder.parent


def make_npz(root: Path, splits: dict[str, int]) -> Path:
    arrays, first = {}, 0
    for split, count in splits.items():
        arrays[f"{split}_images"] = np.stack([picture(i) for i in range(first, first + count)])
        first += count
    np.savez(root / "set.npz", **arrays)
    return root / "set.npz"


KINDS: list[Any] = [
    pytest.param(make_folder, id="folder"),
    pytest.param(make_parquet, id="parquet"),
    pytest.param(make_npz, id="npz"),
]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("resident_gib", [4.0, 0.0])
def test_named_splits_are_taken_as_they_stand(
    make: Maker, resident_gib: float, tmp_path: Path
) -> None:
    source = make(tmp_path, {"train": 25, "validation": 4, "test": 3})
    data = opened(source, resident_gib=resident_gib)
    assert numbers(data) == {
        "train": list(range(25)),
        "validation": [25, 26, 27, 28],
        "test": [29, 30, 31],
    }
    kind = ResidentSplit if resident_gib else StreamedSplit
    assert all(type(split) is kind for split in data.splits.values())
    assert (data.image.channels, data.image.size, data.image.classes) == (3, 8, 0)
    assert data.name == {"faces": "faces", "table": "table", "set.npz": "set"}[source.name]
    assert data.splits["train"][3][1] == -1
    assert data.notes == ()

    again = pickle.loads(pickle.dumps(data.splits["test"]))
    np.testing.assert_array_equal(again[2][0], data.splits["test"][2][0])


@pytest.mark.parametrize("make", KINDS)
def test_a_missing_validation_split_is_taken_from_training(make: Maker, tmp_path: Path) -> None:
    found = numbers(opened(make(tmp_path, {"train": 45, "test": 5})))
    assert found["validation"] == [19, 39]
    assert found["test"] == [45, 46, 47, 48, 49]
    assert found["train"] == [i for i in range(45) if i not in (19, 39)]


@pytest.mark.parametrize("make", KINDS)
def test_a_missing_test_split_is_taken_from_training(make: Maker, tmp_path: Path) -> None:
    found = numbers(opened(make(tmp_path, {"train": 45, "validation": 2})))
    assert found["test"] == [9, 29]
    assert found["validation"] == [45, 46]
    assert found["train"] == [i for i in range(45) if i not in (9, 29)]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("only", ["train", "test"])
def test_one_split_is_divided_in_three(make: Maker, only: str, tmp_path: Path) -> None:
    found = numbers(opened(make(tmp_path, {only: 45})))
    assert found["test"] == [9, 29]
    assert found["validation"] == [19, 39]
    assert sorted(itertools.chain(*found.values())) == list(range(45))


@pytest.mark.parametrize("make", KINDS)
def test_nothing_to_train_on(make: Maker, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"no picture to train on, only (validation|test)"):
        opened(make(tmp_path, {"validation": 3, "test": 3}))


def test_no_picture_is_in_two_splits() -> None:
    data = open_data(DataConfig())
    seen = [{split[i][0].tobytes() for i in range(len(split))} for split in data.splits.values()]
    assert [len(pictures) for pictures in seen] == [1618, 89, 90]
    assert len(seen[0] | seen[1] | seen[2]) == 1797


# digits


def test_digits_equal_scikit_learns() -> None:
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    theirs = load_digits()
    images = (theirs.images.astype(int) * 255 // 16)[:, None]
    data = open_data(DataConfig())
    for name, chosen in {
        "test": np.arange(1797) % 20 == 9,
        "validation": np.arange(1797) % 20 == 19,
        "train": np.arange(1797) % 10 != 9,
    }.items():
        split = data.splits[name]
        assert isinstance(split, ResidentSplit)
        np.testing.assert_array_equal(split.images, images[chosen])
        np.testing.assert_array_equal(split.labels, theirs.target[chosen])
    assert data.image.classes == 10
    assert data.class_names[3] == "3"
    assert data.licence == "CC BY 4.0"
    assert data.name == "digits"


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys, zoo.data; "
        "print([m for m in ('numpy', 'torch', 'PIL', 'datasets', 'pyarrow') if m in sys.modules])"
    )
    root = Path(__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


# folders


def test_a_folders_sub_folders_are_classes(tmp_path: Path) -> None:
    for split, names in {"train": ["cat", "ant"], "val": ["ant"], "TEST": ["bee"]}.items():
        for name in names:
            folder = tmp_path / split / name / "deep"
            folder.mkdir(parents=True)
            (folder / "a.png").write_bytes(png(picture(1)))
    data = opened(tmp_path)
    assert data.class_names == ("ant", "bee", "cat")
    assert data.image.classes == 3
    assert data.splits["train"].labels.tolist() == [0, 2]
    assert data.splits["validation"].labels.tolist() == [0]
    assert data.splits["test"].labels.tolist() == [1]


def test_a_folder_in_which_some_pictures_have_no_class(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("a/1.png", "b/2.png", "3.png"):
        (tmp_path / name).write_bytes(png(picture(1)))
    data = opened(tmp_path)
    assert len(data.splits["train"]) == 3
    assert data.image.classes == 0
    assert "Labels were left out" in data.notes[0]


def test_a_folder_with_one_class_has_no_labels(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "img/1.png").write_bytes(png(picture(1)))
    data = opened(tmp_path)
    assert data.image.classes == 0
    assert data.class_names == ()
    assert data.splits["train"].labels.tolist() == [-1]


def test_a_folders_pictures_beside_its_splits_are_left_out(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {"train": 3, "test": 2, "more": 2})
    data = opened(folder)
    assert numbers(data)["train"] == [0, 1, 2]
    assert "2 pictures beside the folders of splits were left out" in data.notes[0]
    assert "more/00005.png" in data.notes[0]


def test_a_folders_hidden_files_are_passed_over(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {".": 2})
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("x")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert numbers(opened(folder))["train"] == [0, 1]


@pytest.mark.parametrize("resident_gib", [4.0, 0.0])
@pytest.mark.parametrize("name", ["notes.txt", "broken.png"])
def test_a_folders_stray_file_is_named(name: str, resident_gib: float, tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {"train": 3})
    (folder / "train" / name).write_text("hello")
    with pytest.raises(ZooError) as caught:
        opened(folder, resident_gib=resident_gib)
    stray = folder / "train" / name
    assert str(caught.value) == (
        f"{stray} is no picture that Pillow can read: mend it or take it out"
    )


def test_a_folders_text_is_named_before_pictures_are_decoded(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {".": 1})
    (folder / "00000.png").write_text("broken, but called like a picture")
    (folder / "later.txt").write_text("hello")
    with pytest.raises(ZooError, match=r"later\.txt is no picture"):
        opened(folder)


def test_a_truncated_picture_in_a_folder_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {"train": 3})
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    (folder / "train/00001.png").write_bytes(png(noise)[:-60])
    with pytest.raises(ZooError, match=r"00001\.png cannot be decoded \(.+\): mend"):
        opened(folder)


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    with pytest.raises(ZooError, match="faces has no picture: put pictures in it"):
        opened(tmp_path / "faces")


# what is done to a set


def test_pictures_of_several_sizes_need_data_size(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {".": 2})
    (folder / "z.png").write_bytes(png(picture(9, size=12)))
    with pytest.raises(ZooError, match=r"z\.png is 12x12 .* others are 8x8.*data\.size=8"):
        opened(folder)
    data = opened(folder, size=8)
    assert data.notes == ("1 of 3 pictures was scaled to 8 pixels a side.",)
    with pytest.raises(ZooError, match=r"00000\.png is 8x8 .* data\.size=8, or --set data\.pad=2"):
        opened(folder, size=12)
    data = opened(folder, size=12, pad=2)
    assert data.notes == ("2 of 3 pictures were given a black border, to 12 pixels.",)


def test_pictures_that_are_not_square_need_data_size(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 10, 6), np.uint8))
    with pytest.raises(ZooError, match=r"picture 0 of 'images' in .*a\.npz is 6x10.*data\.size=6"):
        opened(tmp_path / "a.npz")
    data = opened(tmp_path / "a.npz", size=6)
    assert data.notes == ("All 3 pictures were cropped to the square at the centre.",)


def test_channels_are_those_of_the_pictures_or_of_the_configuration(tmp_path: Path) -> None:
    grey = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
    np.savez(tmp_path / "grey.npz", images=grey)
    assert opened(tmp_path / "grey.npz").image.channels == 1
    data = opened(tmp_path / "grey.npz", channels=3)
    assert data.splits["train"][0][0].shape == (3, 8, 8)
    assert data.notes == ("All 3 pictures were grey and repeated in three channels.",)

    np.savez(tmp_path / "stored.npz", images=np.stack([grey] * 3, axis=-1))
    data = opened(tmp_path / "stored.npz")
    assert data.image.channels == 1
    assert "stored in colour but all that were looked at are grey" in data.notes[0]
    np.testing.assert_array_equal(data.splits["train"][1][0][0], grey[1])

    np.savez(tmp_path / "colour.npz", images=np.stack([picture(i) for i in range(3)]))
    assert opened(tmp_path / "colour.npz").image.channels == 3
    data = opened(tmp_path / "colour.npz", channels=1)
    assert data.notes == ("All 3 pictures were in colour and made grey.",)


@pytest.mark.parametrize(("ink", "ground"), [(20, "white"), (250, "black")])
def test_transparent_pictures_lie_on_what_shows_them(ink: int, ground: str, tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:6, 2:6] = (ink, ink, ink, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    data = opened(tmp_path)
    assert f"The only picture was partly transparent and laid on {ground}." in data.notes
    image = data.splits["train"][0][0]
    assert image[0, 0, 0] == {"white": 255, "black": 0}[ground]
    assert image[0, 3, 3] == ink


def test_colours_that_nobody_sees_do_not_count(tmp_path: Path) -> None:
    pixels = np.full((8, 8, 4), 90, np.uint8)
    pixels[0] = (255, 0, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert opened(tmp_path).image.channels == 1


def test_a_set_is_resident_up_to_its_limit(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((16, 8, 8), np.uint8))
    size = 16 * 8 * 8 / 2**30
    kinds = [
        type(opened(tmp_path / "a.npz", resident_gib=limit).splits["train"])
        for limit in (size, size * 0.999)
    ]
    assert kinds == [ResidentSplit, StreamedSplit]


def test_progress_is_reported(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((200, 4, 4), np.uint8))
    calls: list[tuple[int, int]] = []
    config = DataConfig(source=str(tmp_path / "a.npz"))
    open_data(config, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (200, 200)
    assert calls == sorted(calls)
    assert len(calls) > 3


# npz


def test_npz_with_keras_names_and_labels(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "k.npz",
        x_train=np.zeros((4, 4, 4, 1), np.uint8),
        y_train=np.array([[3], [7], [7], [3]]),
        x_test=np.ones((2, 4, 4, 1), np.uint8),
        y_test=np.array([[9], [3]]),
        about=np.array("text"),
    )
    data = opened(tmp_path / "k.npz")
    assert data.class_names == ("3", "7", "9")
    assert data.splits["train"].labels.tolist() == [0, 1, 1, 0]
    assert data.splits["test"].labels.tolist() == [2, 0]
    assert data.splits["test"][0][0].tolist() == [[[1] * 4] * 4]


IMAGES = np.zeros((3, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"images": IMAGES / 255}, r"'images' in .* is float64.*\(images \* 255\)\.round\(\)"),
        ({"images": IMAGES.astype(np.int64)}, r"is int64: pictures must be uint8"),
        ({"images": IMAGES[:, None]}, r"is \[3, 1, 8, 8\]: the channels come last"),
        ({"images": np.zeros((2, 3, 8, 8), np.uint8)}, r"channels come last; save .*transpose"),
        ({"images": IMAGES[0]}, r"must be \[N, H, W\] or \[N, H, W, C\]"),
        ({"pixels": IMAGES}, r"no pictures under a known key, only pixels"),
        ({"images": IMAGES, "labels": np.zeros(2, int)}, r"'labels' in .* \[2\] for 3 pictures"),
        ({"images": IMAGES, "labels": np.zeros(3)}, r"labels of type float"),
        ({"images": IMAGES, "x_train": IMAGES}, r"two arrays of train pictures"),
        ({"images": np.array([None, {}], dtype=object)}, r"Object arrays cannot be loaded"),
        ({"images": IMAGES[:0]}, r"no picture to train on"),
    ],
)
def test_npz_that_cannot_be_used(arrays: dict[str, Any], says: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ZooError, match=says) as caught:
        opened(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_npz_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ZooError, match=r"a\.npz (is no \.npz file|cannot be read)"):
        opened(tmp_path / "a.npz")


def test_npz_that_is_cut_short(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.savez_compressed(tmp_path / "a.npz", images=noise)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[500:600] = bytes(100)
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ZooError, match=r"a\.npz cannot be read \("):
        opened(tmp_path / "a.npz")


# parquet


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


# the Hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """A local folder stands in for every data set; the calls are kept."""
    import datasets

    calls: list[tuple[Any, ...]] = []
    real = datasets.load_dataset
    folder = make_parquet(tmp_path, {"train": 5, "test": 2})

    def load_dataset(path: str, name: str | None = None, **options: Any) -> Any:
        calls.append((path, name, options))
        files = {split: str(next(folder.rglob(f"{split}*"))) for split in ("train", "test")}
        return real("parquet", data_files=files)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("mnist", ("ylecun/mnist", None, {"revision": None})),
        ("svhn", ("ufldl-stanford/svhn", "cropped_digits", {"revision": None})),
        ("me/pictures", ("me/pictures", None, {"revision": None})),
        ("me/pictures@v1:small", ("me/pictures", "small", {"revision": "v1"})),
    ],
)
def test_hub_sets(source: str, call: tuple[Any, ...], hub: list[tuple[Any, ...]]) -> None:
    data = opened(source)
    assert hub == [call]
    assert numbers(data) == {"train": [0, 1, 2, 3, 4], "validation": [], "test": [5, 6]}
    assert data.name == source
    assert data.licence == {"mnist": "MIT", "svhn": "non-commercial use only"}.get(source)


def test_hub_splits_of_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    table = datasets.Dataset.from_dict({"image": [png(picture(1)), b"junk"]})
    good, bad = table.select([0]), table
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda *_, **__: {"training": good, "valid": good, "extra": good, "test": bad},
    )
    with pytest.raises(ZooError, match=r"^row 1 of the split 'test' of a/b is no picture"):
        opened("a/b")
    tables = {"training": good, "valid": good, "extra": good}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: tables)
    data = opened("a/b")
    assert data.notes == ("The split 'extra' was left out.",)
    assert len(data.splits["validation"]) == 1
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: {"x": good, "y": good})
    with pytest.raises(ZooError, match="a/b has no split 'train', only x, y"):
        opened("a/b")


def hub_errors() -> list[Any]:
    from datasets.exceptions import DatasetNotFoundError

    missing = DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed.")
    gated = DatasetNotFoundError("Dataset 'a/b' is a gated dataset on the Hub.\nAsk.")
    configs = ValueError(
        "Config name is missing.\nPlease pick one among the available configs: ['x', 'y']\nSo"
    )
    return [
        (ConnectionError("Couldn't reach"), r"'a/b' here, and a/b cannot be fetched.*check the ne"),
        (missing, r"no file or folder 'a/b' here, and a/b is not on the Hub, or is private"),
        (gated, r"a/b is gated on the Hub: ask for access on its page, and set HF_TOKEN"),
        (configs, r"needs one of its configurations, x, y: .* such as a/b:x"),
        (RuntimeError("Dataset scripts are no longer supported, but found b.py"), r"scripts are"),
    ]


@pytest.mark.parametrize("case", range(5))
def test_hub_failures_are_one_sentence(case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from huggingface_hub import constants

    error, says = hub_errors()[case]

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ZooError, match=says) as caught:
        opened("a/b")
    assert "\n" not in str(caught.value)
    if case == 0:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ZooError, match=r"^mnist \(ylecun/mnist\) is not in the cache.*unset"):
            opened("mnist")


# which source


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("digts", r"'digts', which is neither .* did you mean 'digits'\?"),
        ("fashion-mnist", r"did you mean 'fashion_mnist'\?"),
        ("./nowhere", r"'\./nowhere': there is no such file or folder"),
        ("nowhere/", r"there is no such file or folder"),
        ("some/deep/folder", r"there is no such file or folder"),
        ("faces.npz", r"'faces\.npz': there is no such file or folder"),
        ("~nobody-here/x", r"there is no such|cannot be a path"),
        ("bad\0name", r"cannot be a path|neither"),
        (__file__, r"is no data that can be read: data\.source takes"),
    ],
)
def test_what_is_no_source(source: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        opened(source)


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path, {".": 2}).rename(tmp_path / "mnist")
    monkeypatch.chdir(tmp_path)
    data = opened("mnist")
    assert len(data.splits["train"]) == 2
    assert data.notes == ("'mnist' is the folder of that name here, not the data set.",)
    assert opened(".", size=8).name == tmp_path.name
