"""Data of strangers: files that are larger than they look, never end, or lie in their headers."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

IMAGES = np.zeros((20, 8, 8), np.uint8)


def bomb(path: Path) -> None:
    """An npz of 3 MB with 3 GB of zeros."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w", force_zip64=True) as file,
    ):
        header = {"descr": "|u1", "fortran_order": False, "shape": (3 * 2**10, 2**10, 2**10)}
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(3 * 2**10):
            file.write(bytes(2**20))


def with_header(path: Path, shape: tuple[int, ...]) -> None:
    data = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(data, header)
    data.write(bytes(100))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", data.getvalue())


def images(folder: Path) -> Path:
    folder.mkdir()
    for index in range(20):
        Image.fromarray(IMAGES[index]).save(folder / f"{index}.png")
    return folder


def pipe(path: Path) -> None:
    os.mkfifo(images(path) / "a.png")


def endless(path: Path) -> None:
    (images(path) / "a.png").symlink_to("/dev/zero")


def with_file(name: str, start: bytes = b"") -> Callable[[Path], object]:
    """Images, and a file of 3 GiB, which takes no space on the disk."""

    def make(path: Path) -> None:
        images(path)
        with open(path / name, "wb") as file:
            file.write(start)
            file.truncate(3 * 2**30)

    return make


def one_color(path: Path) -> None:
    """A PNG of 180 kB with 13,000 pixels a side."""
    Image.new("RGB", (13_000, 13_000)).save(images(path) / "a.png", compress_level=9)


def saved_elsewhere(path: Path) -> None:
    """A folder of save_to_disk that reads the table of another."""
    from datasets import Dataset

    table = Dataset.from_dict({"image": [{"bytes": b"sentinel", "path": None}] * 20})
    for folder in (path, path.with_name("private")):
        table.save_to_disk(folder)
    state = json.loads((path / "state.json").read_text())
    (path / state["_data_files"][0]["filename"]).unlink()
    state["_data_files"][0]["filename"] = f"../private/{state['_data_files'][0]['filename']}"
    (path / "state.json").write_text(json.dumps(state))


def repeated(rows: int, image: int, word: int) -> Callable[[Path], object]:
    """A parquet file of equal rows: an image and a label of so many bytes, each stored once."""

    def make(path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        one = pa.array(np.zeros(rows, np.int8))
        cells = {"image": b"x" * image, "label": "x" * word}
        columns = [pa.DictionaryArray.from_arrays(one, pa.array([v])) for v in cells.values()]
        table = pa.table(columns, [*cells])
        with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
            writer.write_table(table)

    return make


def of_one_list(path: Path) -> None:
    """A label of 2^27 numbers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    zeros = pa.array(np.zeros(2**27, np.int8))
    labels = pa.ListArray.from_arrays([0, 2**27], zeros)
    pq.write_table(pa.table({"image": [b"x"], "label": labels}), path, compression="zstd")


CASES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "npz bomb": ("data.npz", bomb, "unpacks from"),
    "npz of 2^40 images": (
        "data.npz", lambda path: with_header(path, (2**40, 8, 8)), "is damaged: its header says"
    ),
    "npz with less": ("data.npz", lambda path: with_header(path, (3, 8, 8)), "is damaged"),
    "npz with more": ("data.npz", lambda path: with_header(path, (1, 2, 2)), "is damaged"),
    "pipe": ("data", pipe, "a.png is not a regular file"),
    "endless": ("data", endless, "a.png is not a regular file"),
    "a pipe itself": ("data.npz", os.mkfifo, "data.npz is not a regular file"),
    "image of 3 GiB": ("data", with_file("a.png", b"\x89PNG\r\n\x1a\n"), "a.png has 3,221,225,472"),
    "labels of 3 GiB": ("data", with_file("metadata.csv", b"file_name\n"), "metadata.csv has"),
    "lines of 3 GiB": ("data", with_file("metadata.jsonl"), "metadata.jsonl has 3,221,225,472"),
    "one color": ("data", one_color, "a.png has 13000x13000 pixels"),
    "table elsewhere": ("data", saved_elsewhere, "state.json names '../private/data-"),
    "parquet rows": ("data.parquet", repeated(2**24 + 1, 1, 1), "has 16,777,217 rows in"),
    "parquet cells": (
        "data.parquet", repeated(1000, 2**21, 1), "the column 'image' of",
    ),
    "parquet words": ("data.parquet", repeated(2**17, 1, 2**14), "row 0 of"),
    "parquet list": ("data.parquet", of_one_list, "the column 'label' of"),
    "parquet pipe": ("data.parquet", os.mkfifo, "data.parquet is not a regular file"),
}  # fmt: skip

SLOW = ("parquet rows", "parquet list")


@pytest.mark.parametrize(
    ("name", "make", "text"),
    [
        pytest.param(*case, id=name, marks=pytest.mark.slow if name in SLOW else ())
        for name, case in CASES.items()
    ],
)
def test_hostile_data_end_in_a_sentence_in_little_memory(
    name: str, make: Callable[[Path], object], text: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "data", str(tmp_path / name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30)),
    )
    assert done.returncode in (1, 2), done.stderr
    assert text in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
