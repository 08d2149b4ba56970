"""Images that encode their own number, as a folder, as parquet and as arrays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoo.config.sections import DataConfig
from zoo.data import Dataset, open_data

Maker = Callable[[Path, dict[str, int]], Path]


def numbered_image(number: int, size: int = 8) -> np.ndarray:
    """Returns an image whose first pixel encodes ``number``."""
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


# The same images, numbered over all splits, in each kind of source.


def make_folder(root: Path, splits: dict[str, int]) -> Path:
    first = 0
    for split, count in splits.items():
        folder = root / "faces" / split
        folder.mkdir(parents=True)
        for i in range(first, first + count):
            (folder / f"{i:05}.png").write_bytes(png(numbered_image(i)))
        first += count
    return root / "faces"


def make_parquet(root: Path, splits: dict[str, int]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = root / "table" / "data"
    folder.mkdir(parents=True)
    first = 0
    for split, count in splits.items():
        cells = [
            {"bytes": png(numbered_image(i)), "path": None} for i in range(first, first + count)
        ]
        pq.write_table(pa.table({"image": cells}), folder / f"{split}-00000-of-00001.parquet")
        first += count
    return folder.parent


def make_npz(root: Path, splits: dict[str, int]) -> Path:
    arrays, first = {}, 0
    for split, count in splits.items():
        arrays[f"{split}_images"] = np.stack(
            [numbered_image(i) for i in range(first, first + count)]
        )
        first += count
    np.savez(root / "set.npz", **arrays)
    return root / "set.npz"


KINDS: list[Any] = [
    pytest.param(make_folder, id="folder"),
    pytest.param(make_parquet, id="parquet"),
    pytest.param(make_npz, id="npz"),
]
