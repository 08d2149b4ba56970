"""Labels in a file beside images: ``metadata.csv``, ``.jsonl`` or ``.parquet``, as on the Hub.

The file has a column ``file_name``, relative to the file's folder, and perhaps one of labels.
"""

from __future__ import annotations

import csv
import json
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.data.folders.listing import counted
from zoo.data.labels import LABEL_COLUMNS, as_labels, label_column
from zoo.data.source import LeftOut
from zoo.errors import ZooError, first_line
from zoo.system.files import check_size

NAMES = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})

MAX_BYTES = 2**27
"""Maximum bytes of a file of labels."""

_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xml")
"""Suffixes of annotations that are not read."""

_DOCUMENTS = ("readme", "license", "licence", "copying", "citation", "changelog")
"""Names of files about a dataset, without suffix."""


@dataclass
class Metadata:
    """Labels by path; None where no file has a column of labels."""

    labels: dict[str, str | None] | None = None
    notes: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def split_off(files: Sequence[str]) -> tuple[list[str], list[str], list[LeftOut]]:
    """Returns the images among ``files``, the files of metadata, and what is neither: annotations
    and documents."""
    images, tables, others, documents = [], [], [], []
    for file in files:
        name = posixpath.basename(file).lower()
        if name in NAMES:
            tables.append(file)
        elif name.endswith(_TABLES):
            others.append(file)
        elif name.endswith(".md") or name.partition(".")[0] in _DOCUMENTS:
            documents.append(file)
        else:
            images.append(file)
    if not images:
        return images, tables, []
    why = "labels are read from folders, or from metadata.csv with columns file_name and label"
    return (
        images,
        tables,
        [LeftOut(f"the file {file}", "a document, not an image") for file in documents]
        + [LeftOut(f"the file {file}", why) for file in others[:3]]
        + ([LeftOut(f"{len(others) - 3:,} more such files", why)] if len(others) > 3 else []),
    )


def read_metadata(root: Path, tables: Sequence[str], images: Sequence[str]) -> Metadata:
    """Returns the labels of ``images`` in ``tables``, all paths relative to ``root``.

    Raises ZooError, naming the file, for a table that cannot be read.
    """
    metadata = Metadata()
    known = set(images)
    missing: list[str] = []
    for table in tables:
        columns = _read(root / table)
        names = columns.pop("file_name", None)
        if names is None:
            metadata.left_out.append(LeftOut(f"the file {table}", "it has no column file_name"))
            continue
        labels = {key: as_labels(columns[key]) for key in LABEL_COLUMNS if key in columns}
        label, values, unused = label_column(columns, labels)
        if unused:
            metadata.left_out.append(
                LeftOut(f"{', '.join(unused[:5])} in {table}", "columns without labels")
            )
        folder = posixpath.dirname(table)
        for index, name in enumerate(names):
            path = posixpath.normpath(posixpath.join(folder, str(name)))
            if path not in known:
                missing.append(path)
            elif label is not None:
                metadata.labels = {} if metadata.labels is None else metadata.labels
                metadata.labels[path] = values[index]
        if label is not None:
            metadata.notes.append(f"Labels are those of the column {label!r} in {table}.")
    if missing:
        metadata.left_out.append(
            LeftOut(counted(missing, "image", "images"), "no such file, though metadata names it")
        )
    return metadata


def _read(path: Path) -> dict[str, list[Any]]:
    check_size(path, MAX_BYTES)
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            return dict(pq.read_table(path).to_pydict())
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                rows = list(csv.DictReader(file))
            else:
                rows = [json.loads(line) for line in file if line.strip()]
        keys = dict.fromkeys(key for row in rows for key in row)
        return {str(key): [row.get(key) for row in rows] for key in keys}
    except MemoryError:
        raise
    except Exception as error:  # pyarrow, csv and json have no common base
        raise ZooError(f"{path} cannot be read ({first_line(error)}): repair or remove it") from (
            error
        )
