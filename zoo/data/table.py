"""Pictures in a column of a table of the ``datasets`` library: parquet files and the Hub's sets.

Cells are decoded here and not by ``datasets``, so that a cell that is no picture can be named.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.classes import numbered, unlabeled
from zoo.data.decode import open_picture
from zoo.data.source import Part
from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.data.source import Picture

IMAGE_COLUMNS = ("image", "img", "picture", "images", "png", "jpg")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target", "digit", "character")
"""Names of columns that are looked for, in this order."""


@dataclass(frozen=True)
class Rows:
    """Names rows: those of ``files`` as they follow one another, ``counts[i]`` rows each."""

    files: tuple[str, ...]
    counts: tuple[int, ...]

    def name(self, row: int) -> str:
        for file, count in zip(self.files, self.counts, strict=True):
            if row < count:
                return f"row {row} of {file}"
            row -= count
        return f"row {row} after {self.files[-1]}"


@dataclass(frozen=True, eq=False)
class TablePictures:
    """The cells of ``column``; paths in them are relative to ``folder``."""

    table: Any
    column: str
    rows: Rows
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.table)

    def where(self, index: int) -> str:
        return self.rows.name(index)

    def open(self, index: int) -> Picture:
        cell = self.table[index][self.column]
        where = self.where(index)
        if isinstance(cell, Mapping):
            cell = cell.get("bytes") or self._stored(cell.get("path"))
        if isinstance(cell, bytes):
            return open_picture(cell, where)
        if isinstance(cell, list):
            return _pixels(cell, where)
        raise ZooError(f"{where} has no picture in its column {self.column!r}: take the row out")

    def _stored(self, path: str | None) -> bytes | None:
        """The file that a cell names, if it is one on this machine."""
        if not path or (self.folder is None and not Path(path).is_absolute()):
            return None
        try:
            return (self.folder or Path()).joinpath(path).read_bytes()
        except (OSError, ValueError):
            return None


def table_parts(
    tables: Mapping[str, Any], rows: Mapping[str, Rows], what: str, folder: Path | None = None
) -> tuple[dict[str, Part], tuple[str, ...], tuple[str, ...]]:
    """The splits, the class names and notes of tables by split.

    The column of pictures is the first of type Image, else the first of IMAGE_COLUMNS; labels are
    in the first of LABEL_COLUMNS, if there is one. Raises ZooError, naming ``what``.
    """
    from datasets import ClassLabel, Image

    first = next(iter(tables.values()))
    column = _image_column(first.features, what)
    label = next((name for name in LABEL_COLUMNS if name in first.features), None)
    notes: list[str] = []
    names: tuple[str, ...] = ()
    columns: dict[str, NDArray[np.int64]] = {}
    if label is not None:
        values = {split: _column(table, label) for split, table in tables.items()}
        feature = first.features[label]
        try:
            if isinstance(feature, ClassLabel):
                columns, names = _class_labels(values), tuple(feature.names)
            else:
                columns, names = numbered(values)
        except TypeError:  # captions, boxes, measurements: not a class
            notes.append(f"The column {label!r} holds no classes and was left out.")
    parts = {}
    for split, table in tables.items():
        if not _is_pixels(first.features[column]):
            table = table.cast_column(column, Image(decode=False))
        table = table.select_columns([column])
        labels = columns.get(split)
        parts[split] = Part(
            TablePictures(table, column, rows[split], folder),
            unlabeled(len(table)) if labels is None else labels,
        )
    return parts, names, tuple(notes)


@contextlib.contextmanager
def quiet(bars: bool = False) -> Iterator[None]:
    """Keeps ``datasets`` from drawing progress bars, unless ``bars``, and from log lines."""
    import datasets

    were_off = datasets.utils.are_progress_bars_disabled()
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    if not bars:
        datasets.utils.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not were_off:
            datasets.utils.enable_progress_bars()


def cause(error: BaseException) -> str:
    """The first line of the error at the bottom: ``datasets`` wraps what went wrong."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _image_column(features: Mapping[str, Any], what: str) -> str:
    from datasets import Image

    for name, feature in features.items():
        if isinstance(feature, Image):
            return name
    for name in IMAGE_COLUMNS:
        if name in features:
            return name
    raise ZooError(
        f"{what} has no column of pictures, only {', '.join(features) or 'none at all'}: call it "
        "image"
    )


def _is_pixels(feature: Any) -> bool:
    """Whether cells are nested lists of numbers."""
    return isinstance(feature, list) or hasattr(feature, "feature") or hasattr(feature, "shape")


def _column(table: Any, name: str) -> list[object]:
    return list(table.data.column(name).to_pylist()) if len(table) else []


def _class_labels(values: Mapping[str, Sequence[object]]) -> dict[str, NDArray[np.int64]]:
    import numpy as np

    return {
        split: np.array([-1 if value is None else value for value in column], dtype=np.int64)
        for split, column in values.items()
    }


def _pixels(cell: list[Any], where: str) -> NDArray[np.uint8]:
    import numpy as np

    try:
        array = np.asarray(cell)
        whole = array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255
    except ValueError:  # rows of unequal length, or no pixel
        whole = False
    if not whole:
        raise ZooError(f"{where} holds no whole numbers from 0 to 255: take the row out")
    return array.astype(np.uint8)
