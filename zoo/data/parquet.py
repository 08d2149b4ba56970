"""A parquet file or a folder of them, in the layout of datasets on the Hub.

In a folder, the names of files and their folders give the split: ``train*``, ``validation*`` or
``valid*``, ``test*``; without any such name all files are one split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from zoo.data.names import local_name
from zoo.data.source import Source
from zoo.data.splits import split_in
from zoo.data.table import Rows, quiet, root_cause, table_splits
from zoo.errors import ZooError


def open_parquet(path: Path, files: Sequence[str]) -> Source:
    """Returns the images of a parquet file, or of those in ``files``, relative to the folder.

    Raises ZooError, naming the file, if it is not parquet or has no column of images.
    """
    from datasets import load_dataset

    folder = path if path.is_dir() else path.parent
    files = [file for file in files if file.lower().endswith(".parquet")]
    by_split, notes = _by_split(files)
    rows = {
        split: Rows(
            tuple(str(folder / name) for name in names),
            tuple(_row_count(folder / name) for name in names),
        )
        for split, names in by_split.items()
    }
    rows = {split: names for split, names in rows.items() if sum(names.counts)}
    if not rows:
        raise ZooError(f"{path} has no rows: use parquet files with images")
    try:
        with quiet():
            tables = load_dataset(
                "parquet", data_files={split: list(names.files) for split, names in rows.items()}
            )
    except Exception as error:
        raise ZooError(
            f"{path} cannot be read by datasets ({root_cause(error)}): all its files must have the "
            "same columns"
        ) from error
    splits, class_names, table_notes = table_splits(tables, rows, str(path), folder)
    return Source(local_name(path), splits, class_names, notes=(*notes, *table_notes))


def _by_split(files: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    by_split = defaultdict[str | None, list[str]](list)
    for file in files:
        by_split[split_in(file)].append(file)
    others = by_split.pop(None, [])
    named = {split: names for split, names in by_split.items() if split is not None}
    if not named:
        return {"train": others}, []
    return named, [f"{file} was left out: its name contains no split." for file in others]


def _row_count(path: Path) -> int:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return int(file.metadata.num_rows)
    except Exception as error:
        raise ZooError(
            f"{path} is not a readable parquet file ({root_cause(error)}): repair or remove it"
        ) from error
