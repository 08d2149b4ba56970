"""Images in a column of a table of the ``datasets`` library: parquet files and the Hub.

Cells are decoded here and not by ``datasets``, so that errors can name the cell.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.classes import unlabeled
from zoo.data.preparation.decode import MAX_BYTES, decode_image
from zoo.data.source import Source, StoredSplit
from zoo.data.tables.columns import Labels, Part, image_column, read_labels
from zoo.errors import ZooError, first_line
from zoo.system.files import check_size
from zoo.system.progress import printable_bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.data.source import StoredImage


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
    """The cells of ``column``; files that they name are those within ``folders``, and relative
    paths are below the first of them."""

    table: Any
    column: str
    rows: Rows
    folders: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def location(self, index: int) -> str:
        return self.rows.name(index)

    def open(self, index: int) -> StoredImage:
        cell = self.table[index][self.column]
        location = self.location(index)
        if isinstance(cell, Mapping):
            path = cell.get("path")
            cell = cell.get("bytes") or self._file(path)
            if cell is None and path:
                raise ZooError(
                    f"{location} names the file {path!r}, which is not in the folder of the data: "
                    "put it there, or remove the row"
                )
        if isinstance(cell, bytes):
            return decode_image(cell, location)
        if isinstance(cell, list):
            return _pixels(cell, location)
        if cell is not None:
            raise ZooError(
                f"{location} has {type(cell).__name__} in column {self.column!r}, not an image: "
                "choose a column with --set data.column=NAME"
            )
        raise ZooError(f"{location} has no image in its column {self.column!r}: remove the row")

    def _file(self, path: str | None) -> bytes | None:
        """Returns the content of the file that a cell names; None if there is none within
        ``folders``, since a table may come from a stranger."""
        if not path or not self.folders:
            return None
        try:
            file = (self.folders[0] / path).resolve()
            if not any(file.is_relative_to(folder.resolve()) for folder in self.folders):
                return None
            check_size(file, MAX_BYTES)
            return file.read_bytes()
        except (OSError, ValueError, ZooError):
            return None


def open_tables(
    name: str,
    tables: Mapping[str, Any],
    rows: Mapping[str, Rows],
    chosen: str | None,
    folders: tuple[Path, ...] = (),
) -> Source:
    """Returns the images and labels of tables by split; ``chosen`` is the column of images, None
    to find it, and ``folders`` have the files that cells name. Raises ZooError, naming ``name``."""
    column = image_column(next(iter(tables.values())).features, name, chosen)
    parts = {
        split: [Part(table.features, partial(_column, table))] for split, table in tables.items()
    }
    return with_labels(name, tables, rows, column, read_labels(parts, column), folders)


def with_labels(
    name: str,
    tables: Mapping[str, Any],
    rows: Mapping[str, Rows],
    column: str,
    labels: Labels,
    folders: tuple[Path, ...] = (),
) -> Source:
    """Returns the images in ``column`` of tables by split, with their labels."""
    from datasets import Image

    splits = {}
    for split, table in tables.items():
        if not _is_pixels(table.features[column]):
            table = table.cast_column(column, Image(decode=False))
        table = table.select_columns([column])
        numbers = labels.columns.get(split)
        splits[split] = StoredSplit(
            TableImages(table, column, rows[split], folders),
            unlabeled(len(table)) if numbers is None else numbers,
        )
    return Source(name, splits, labels.names, column=column, left_out=labels.left_out)


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
        with printable_bars():
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


def cache_error(error: BaseException) -> ZooError | None:
    """Returns the error for a cache that cannot be written, None for any other cause."""
    import datasets.config

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, ConnectionError | TimeoutError):
            path = str(cause.filename or "")
            folders = (datasets.config.HF_DATASETS_CACHE, datasets.config.HF_CACHE_HOME)
            if any(path.startswith((str(f), str(Path(f).parent))) for f in folders if path):
                return ZooError(
                    f"the cache of datasets cannot be written ({path}: {cause.strerror}): set "
                    "HF_HOME to a folder that can"
                )
        cause = cause.__cause__ or cause.__context__
    return None


def _is_pixels(feature: Any) -> bool:
    """Whether cells are nested lists of numbers."""
    return isinstance(feature, list) or hasattr(feature, "feature") or hasattr(feature, "shape")


def _column(table: Any, name: str) -> list[object]:
    return list(table.data.column(name).to_pylist()) if len(table) else []


def _pixels(cell: list[Any], location: str) -> NDArray[Any]:
    import numpy as np

    try:
        array = np.asarray(cell)
        if array.dtype.kind not in "biuf" or not array.size:
            raise ValueError
    except ValueError:
        raise ZooError(
            f"{location} has pixels that are not an array [H, W] or [H, W, C] of numbers"
        ) from None
    return array
