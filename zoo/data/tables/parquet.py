"""A parquet file or a folder of them, in the layout of datasets on the Hub.

In a folder, the names of files and their folders give the split: ``train*``, ``validation*`` or
``valid*``, ``test*``; without any such name all files are one split.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.folders.formats import check_readable
from zoo.data.folders.layout_checks import STRAY
from zoo.data.folders.listing import Listing, counted
from zoo.data.folders.metadata import NAMES
from zoo.data.names import local_name
from zoo.data.source import LeftOut, Source
from zoo.data.splits import SPLITS, split_in
from zoo.data.tables.columns import Part, image_column, read_labels
from zoo.data.tables.expansion import read_cells, rows_in_memory
from zoo.data.tables.table import Rows, cache_error, quiet, root_cause, with_labels
from zoo.errors import ZooError
from zoo.system.files import sha256_of

if TYPE_CHECKING:
    from zoo.config.sections import DataConfig


@dataclass(frozen=True)
class _File:
    """A parquet file: its features by column and its number of rows."""

    path: Path
    features: Mapping[str, Any]
    rows: int


def tables_in(listing: Listing) -> tuple[list[str], list[str]]:
    """Returns the parquet files of a folder, but for the metadata of images, and its images."""
    from PIL import Image

    suffixes = tuple(Image.registered_extensions())
    images = [file for file in listing.files if file.lower().endswith(suffixes)]
    tables = [
        file
        for file in listing.files
        if file.lower().endswith(".parquet")
        and not (images and posixpath.basename(file).lower() in NAMES)
    ]
    return tables, images


def refers_to_files(root: Path, tables: Sequence[str], column: str | None) -> bool:
    """Whether the first cell of the images is the path of a file, not its content."""
    import pyarrow.parquet as pq

    file = _open(root / tables[0])
    name = image_column(file.features, str(file.path), column)
    with pq.ParquetFile(file.path) as table:
        batch = next(table.iter_batches(batch_size=1, columns=[name]), None)
    cell = batch.column(0)[0].as_py() if batch is not None and len(batch) else None
    return isinstance(cell, Mapping) and not cell.get("bytes") and bool(cell.get("path"))


def open_parquet(listing: Listing, config: DataConfig) -> Source:
    """Returns the images of a parquet file, or of those in ``listing``.

    ``config.layout`` decides on files without the name of a split: "splits" leaves them out,
    "images" joins all files. Raises ZooError, naming the file, if it is not parquet or has no
    column of images.
    """
    path = listing.root
    folder = path if path.is_dir() else path.parent
    opened = {name: _open(folder / name) for name in listing.files}
    opened = {name: file for name, file in opened.items() if file.rows}
    if not opened:
        raise ZooError(f"{path} has no rows: use parquet files with images")
    by_split, left_out = _by_split(path, opened, config.layout)
    first = next(iter(by_split.values()))[0]
    column = image_column(first.features, str(path), config.column)
    for file in (file for files in by_split.values() for file in files):
        if column not in file.features:
            raise ZooError(
                f"{file.path} has no column {column!r}, as {first.path.name} has, only "
                f"{', '.join(file.features)}: all files need it"
            )
    parts = {
        split: [Part(file.features, partial(_column, file.path)) for file in files]
        for split, files in by_split.items()
    }
    batch = min(_rows_in_memory(file.path, column) for files in by_split.values() for file in files)
    labels = read_labels(parts, column)
    rows = {
        split: Rows(tuple(str(file.path) for file in files), tuple(file.rows for file in files))
        for split, files in by_split.items()
    }
    source = with_labels(
        local_name(path), _tables(path, by_split, column, batch), rows, column, labels, (folder,)
    )
    return replace(
        source,
        kind="a folder of parquet files" if path.is_dir() else "a parquet file",
        layout=config.layout,
        left_out=(*listing.left_out, *left_out, *source.left_out),
    )


def _open(path: Path) -> _File:
    import pyarrow.parquet as pq
    from datasets import Features

    check_readable(path)
    with _readable(path), pq.ParquetFile(path) as file:
        features = Features.from_arrow_schema(file.schema_arrow)
        rows = int(file.metadata.num_rows)
    return _File(path, features, rows)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns an error of pyarrow inside into a ZooError that names the file."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        raise ZooError(
            f"{path} is not a readable parquet file ({root_cause(error)}): repair or remove it"
        ) from error


def _rows_in_memory(path: Path, column: str) -> int:
    with _readable(path):
        return rows_in_memory(path, column)


def _by_split(
    path: Path, opened: Mapping[str, _File], layout: str | None
) -> tuple[dict[str, list[_File]], list[LeftOut]]:
    by_split = defaultdict[str | None, list[str]](list)
    for name in opened:
        by_split[split_in(name)].append(name)
    others = by_split.pop(None, [])
    if not by_split or layout == "images":
        return {"train": list(opened.values())}, []
    outside = sum(opened[name].rows for name in others)
    if layout is None and outside > STRAY * sum(file.rows for file in opened.values()):
        raise ZooError(
            f"{path} has {counted(others, 'file', 'files')} beside files of splits: --set "
            f"data.layout=splits leaves out {outside:,} rows, data.layout=images joins all files"
        )
    left_out = []
    if others:
        why = "no split in the name"
        left_out.append(LeftOut(counted(others, "parquet file", "parquet files"), why))
    splits = {
        split: [opened[name] for name in by_split[split]] for split in SPLITS if split in by_split
    }
    return splits, left_out


def _column(path: Path, name: str) -> list[Any]:
    with _readable(path):
        return read_cells(path, name)


def _tables(
    path: Path, by_split: Mapping[str, Sequence[_File]], column: str, batch_size: int
) -> Any:
    """Returns a memory-mapped table of images by split, converted in batches.

    ``datasets`` caches them by path and time; the digest of the content in the configuration's name
    makes it read a file again that was replaced.
    """
    from datasets import load_dataset

    digest = hashlib.sha256()
    for split, files in by_split.items():
        for file in files:
            digest.update(f"{split} {file.rows} {sha256_of(file.path)}\n".encode())
    try:
        with quiet():
            return load_dataset(
                "parquet",
                name=f"genzoo-{digest.hexdigest()[:32]}",
                data_files={
                    split: [str(file.path) for file in files] for split, files in by_split.items()
                },
                columns=[column],
                batch_size=batch_size,
            )
    except Exception as error:
        raise cache_error(error) or ZooError(
            f"{path} cannot be read by datasets ({root_cause(error)}): the column {column!r} must "
            "have the same type in all files"
        ) from error
