"""Sources that cannot be read: one sentence with the real cause and the fix."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import Commands
from numbered import numbered_image, opened, png
from PIL import Image
from trees import make_tree, source_of

import zoo
from zoo.errors import UsageError, ZooError


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.zip", r"is an archive: unpack it and name the folder"),
        ("a.tar.gz", r"is an archive"),
        ("a.pt", r"is a pickle, which is never read: save the images with numpy"),
        ("a.pkl", r"is a pickle"),
        ("a.npy", r"is a single array: numpy\.savez_compressed"),
        ("a.csv", r"is a table without images: .* as metadata\.csv"),
        ("a.h5", r"has a format that is not read"),
        ("a.arrow", r"is an Arrow file: name its folder from save_to_disk"),
        ("a.jpg", r"is a single image: name its folder"),
        ("a.unknown", r"has an unknown format: data\.source must be"),
    ],
)
def test_a_file_of_another_format_says_what_to_do(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match=message):
        source_of(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.npz", r"a\.npz is a file of arrays in a folder: name the file itself"),
        ("a.zip", r"a\.zip is an archive: unpack it"),
        ("a.txt", r"a\.txt is not an image that Pillow can read"),
    ],
)
def test_a_file_among_images_says_what_to_do(name: str, message: str, tmp_path: Path) -> None:
    make_tree(tmp_path, ["*2"])
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ZooError, match=message):
        source_of(tmp_path)


@pytest.mark.parametrize("name", ["a.npz", "a.parquet", "images/a.png", "images/a"])
def test_an_empty_file_is_said_to_be_empty(name: str, tmp_path: Path) -> None:
    make_tree(tmp_path, [f"{name.partition('/')[0]}/b.png"] if "/" in name else [])
    (tmp_path / name).write_bytes(b"")
    source = tmp_path / name.partition("/")[0]
    with pytest.raises(ZooError, match=rf"{name} is empty: remove it, or copy it again"):
        opened(source)


@pytest.mark.parametrize("name", ["a.npz", "a.parquet", "images/a"])
def test_a_file_that_may_not_be_read_says_so(name: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "gone")
    source = tmp_path / name.partition("/")[0]
    if "/" not in name:
        with pytest.raises(UsageError, match="there is no such file or folder"):
            source_of(source)
        (tmp_path / name).unlink()
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ZooError, match=r"is not an \.npz file|is not a readable parquet file"):
            source_of(source)
        return
    with pytest.raises(ZooError, match="images/a cannot be read: No such file"):
        source_of(source)


@pytest.mark.parametrize("place", ["a file", "a file/below"])
def test_a_cache_that_cannot_be_written_is_the_cause(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / place))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [png(numbered_image(1))]}), path)
    with pytest.raises(ZooError, match=r"^the cache of datasets cannot be written .*set HF_HOME"):
        source_of(path)


def test_files_with_images_of_two_types_are_an_error(tmp_path: Path) -> None:
    cell = png(numbered_image(1))
    pq.write_table(pa.table({"image": [cell]}), tmp_path / "train-0.parquet")
    pq.write_table(pa.table({"image": [{"bytes": cell}]}), tmp_path / "train-1.parquet")
    with pytest.raises(ZooError, match=r"cannot be read by datasets \(.*'image' must have the sam"):
        source_of(tmp_path)


@pytest.mark.parametrize("cell", ["words.png", 7])
def test_a_column_without_images_is_named(cell: object, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [cell], "label": [1]}), path)
    with pytest.raises(ZooError, match=r"no column of images, only image, label: .*data\.column"):
        source_of(path)


def test_a_folder_whose_name_is_not_utf8_is_one_sentence(
    here: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = os.fsdecode(b"caf\xe9")
    make_tree(here, [f"set/{name}/*2", "set/x/*2"])
    message = commands.fails(1, "train", "vae", "--data", "set")
    assert message == r"the name of the folder b'set/caf\xe9' is not UTF-8: rename it"
    with pytest.raises(UsageError, match=r"data\.source must be UTF-8: rename the file or folder"):
        zoo.train("vae", data=f"set/{name}", quiet=True)
    monkeypatch.chdir(here / "set" / name)
    assert opened(".").name == "caf\N{REPLACEMENT CHARACTER}"


# Images of several frames.


def frames(count: int) -> list[Image.Image]:
    return [Image.fromarray(numbered_image(0, 16) + np.uint8(90 * i)) for i in range(count)]


@pytest.mark.parametrize("suffix", ["gif", "tiff", "webp", "png"])
def test_the_first_of_several_frames_is_noted(suffix: str, tmp_path: Path) -> None:
    first, *others = frames(3)
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=others)
    first.save(tmp_path / f"b.{suffix}")
    first.save(tmp_path / "c.bmp")
    notes = opened(tmp_path).notes
    assert "1 of 3 images was of several frames or pages, of which the first is used." in notes


def test_a_photo_with_a_preview_is_one_image(tmp_path: Path) -> None:
    first, *others = frames(2)
    first.save(tmp_path / "a.mpo", save_all=True, append_images=others)
    assert not [note for note in opened(tmp_path).notes if "frames" in note]


def test_float_pixels_in_cells_are_read_or_refused_by_their_values(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    cells = [np.full((4, 4), value).tolist() for value in (0.25, 0.5, 1.5)]
    pq.write_table(pa.table({"image": cells}), path)
    with pytest.raises(ZooError, match="value") as caught:
        opened(path)
    assert "row out" not in str(caught.value)
