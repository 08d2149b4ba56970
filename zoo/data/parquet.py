"""One parquet file or a folder of them, as the Hub stores data sets.

In a folder, names say the split: ``train*``, ``validation*`` or ``valid*``, ``test*``, of the
files or of the folders they lie in; without any such name all files are one split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from zoo.data.names import local_name
from zoo.data.source import Source
from zoo.data.splits import split_in
from zoo.data.table import Rows, cause, quiet, table_parts
from zoo.errors import ZooError


def open_parquet(path: Path, files: Sequence[str]) -> Source:
    """The pictures of a parquet file, or of those among ``files``, relative to the folder.

    Raises ZooError, naming the file, for what is no parquet file or has no column of pictures.
    """
    from datasets import load_dataset

    folder = path if path.is_dir() else path.parent
    files = [file for file in files if file.lower().endswith(".parquet")]
    by_split, notes = _by_split(files)
    rows = {
        split: Rows(
            tuple(str(folder / name) for name in names),
            tuple(_count(folder / name) for name in names),
        )
        for split, names in by_split.items()
    }
    rows = {split: names for split, names in rows.items() if sum(names.counts)}
    if not rows:
        raise ZooError(f"{path} has no rows: give parquet files with pictures")
    try:
        with quiet():
            tables = load_dataset(
                "parquet", data_files={split: list(names.files) for split, names in rows.items()}
            )
    except Exception as error:
        raise ZooError(
            f"{path} cannot be read by datasets ({cause(error)}): all its files must have the "
            "same columns"
        ) from error
    parts, names, more = table_parts(tables, rows, str(path), folder)
    return Source(local_name(path), parts, names, notes=(*notes, *more))


def _by_split(files: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    by_split = defaultdict[str | None, list[str]](list)
    for file in files:
        by_split[split_in(file)].append(file)
    nameless = by_split.pop(None, [])
    named = {split: names for split, names in by_split.items() if split is not None}
    if not named:
        return {"train": nameless}, []
    return named, [f"{file} was left out: its name says no split." for file in nameless]


def _count(path: Path) -> int:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return int(file.metadata.num_rows)
    except Exception as error:
        raise ZooError(
            f"{path} is no parquet file that can be read ({cause(error)}): mend it or take it out"
        ) from error
