"""Images in a column of a table of the ``datasets`` library: parquet files and the Hub.

Cells are decoded here and not by ``datasets``, so that errors can name the cell.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.classes import numbered, unlabeled
from zoo.data.decode import decode_image
from zoo.data.source import StoredSplit
from zoo.errors import ZooError, first_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.data.source import StoredImage

IMAGE_COLUMNS = ("image", "img", "picture", "images", "png", "jpg")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target", "digit", "character")
"""Column names, the preferred first."""


@dataclass(frozen=True)
class Rows:
    """Names of rows: those of ``files`` in order, ``counts[i]`` rows each."""

    files: tuple[str, ...]
    counts: tuple[int, ...]

    def name(self, row: int) -> str:
        for file, count in zip(self.files, self.counts, strict=True):
            if row < count:
                return f"row {row} of {file}"
            row -= count
        return f"row {row} after {self.files[-1]}"


@dataclass(frozen=True, eq=False)
class TableImages:
    """The cells of ``column``; paths in them are relative to ``folder``."""

    table: Any
    column: str
    rows: Rows
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.table)

    def location(self, index: int) -> str:
        return self.rows.name(index)

    def open(self, index: int) -> StoredImage:
        cell = self.table[index][self.column]
        location = self.location(index)
        if isinstance(cell, Mapping):
            cell = cell.get("bytes") or self._file(cell.get("path"))
        if isinstance(cell, bytes):
            return decode_image(cell, location)
        if isinstance(cell, list):
            return _pixels(cell, location)
        raise ZooError(f"{location} has no image in its column {self.column!r}: remove the row")

    def _file(self, path: str | None) -> bytes | None:
        """Returns the content of the file that a cell names, None if it is not on this machine."""
        if not path or (self.folder is None and not Path(path).is_absolute()):
            return None
        try:
            return (self.folder or Path()).joinpath(path).read_bytes()
        except (OSError, ValueError):
            return None


def table_splits(
    tables: Mapping[str, Any], rows: Mapping[str, Rows], name: str, folder: Path | None = None
) -> tuple[dict[str, StoredSplit], tuple[str, ...], tuple[str, ...]]:
    """Returns the splits, the class names and notes of tables by split.

    The images are in the first column of type Image, else the first of IMAGE_COLUMNS; labels are
    in the first of LABEL_COLUMNS, if there is one. Raises ZooError, naming ``name``.
    """
    from datasets import ClassLabel, Image

    first = next(iter(tables.values()))
    column = _image_column(first.features, name)
    label = next((key for key in LABEL_COLUMNS if key in first.features), None)
    notes: list[str] = []
    class_names: tuple[str, ...] = ()
    columns: dict[str, NDArray[np.int64]] = {}
    if label is not None:
        values = {split: _column(table, label) for split, table in tables.items()}
        feature = first.features[label]
        try:
            if isinstance(feature, ClassLabel):
                columns, class_names = _class_labels(values), tuple(feature.names)
            else:
                columns, class_names = numbered(values)
        except TypeError:  # captions, boxes, measurements
            notes.append(f"The column {label!r} was left out: it does not contain classes.")
    splits = {}
    for split, table in tables.items():
        if not _is_pixels(first.features[column]):
            table = table.cast_column(column, Image(decode=False))
        table = table.select_columns([column])
        labels = columns.get(split)
        splits[split] = StoredSplit(
            TableImages(table, column, rows[split], folder),
            unlabeled(len(table)) if labels is None else labels,
        )
    return splits, class_names, tuple(notes)


@contextlib.contextmanager
def quiet(bars: bool = False) -> Iterator[None]:
    """Turns off log lines of ``datasets`` and, unless ``bars``, its progress bars."""
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


def root_cause(error: BaseException) -> str:
    """Returns the first line of the original error, which ``datasets`` wraps in others."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def _image_column(features: Mapping[str, Any], name: str) -> str:
    from datasets import Image

    for column, feature in features.items():
        if isinstance(feature, Image):
            return column
    for column in IMAGE_COLUMNS:
        if column in features:
            return column
    raise ZooError(
        f"{name} has no column of images, only {', '.join(features) or 'none at all'}: call it "
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


def _pixels(cell: list[Any], location: str) -> NDArray[np.uint8]:
    import numpy as np

    try:
        array = np.asarray(cell)
        valid = array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255
    except ValueError:  # rows of unequal length, or no pixels
        valid = False
    if not valid:
        raise ZooError(f"{location} has pixels other than integers from 0 to 255: remove the row")
    return array.astype(np.uint8)
