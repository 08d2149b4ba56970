"""A folder that ``save_to_disk`` of the ``datasets`` library wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from zoo.data.folders.listing import Listing
from zoo.data.names import local_name
from zoo.data.source import Source
from zoo.data.tables.hub import named_splits
from zoo.data.tables.table import Rows, open_tables, quiet, root_cause
from zoo.errors import ZooError
from zoo.system.files import read_bounded

_TABLE = {"state.json", "dataset_info.json"}
_SPLITS = "dataset_dict.json"


def is_saved(listing: Listing) -> bool:
    """Whether the files of a folder are those of ``save_to_disk``."""
    files = set(listing.files)
    return _SPLITS in files or files >= _TABLE


def open_saved(listing: Listing, column: str | None) -> Source:
    """Returns a saved table or one per split; raises ZooError if it cannot be read."""
    from datasets import load_from_disk

    path = listing.root
    try:
        _check_names(path)
        with quiet():
            tables = load_from_disk(str(path))
    except ZooError:
        raise
    except Exception as error:
        raise ZooError(
            f"{path} cannot be read by datasets ({root_cause(error)}): save it again"
        ) from error
    if not isinstance(tables, Mapping):
        tables = {"train": tables}
    by_split, left_out = named_splits(tables, str(path))
    rows = {
        split: Rows((f"the split {name!r} of {path}",), (len(table),))
        for split, (name, table) in by_split.items()
    }
    found = {split: table for split, (_, table) in by_split.items()}
    source = open_tables(str(path), found, rows, column)
    return replace(
        source,
        name=local_name(path),
        kind="a folder of save_to_disk",
        left_out=(*listing.left_out, *left_out, *source.left_out),
    )


def _check_names(folder: Path) -> None:
    """Raises ZooError for a table of another folder than those of ``folder``, which ``datasets``
    reads too."""
    splits = [folder]
    if (folder / _SPLITS).exists():
        names = json.loads(read_bounded(folder / _SPLITS))["splits"]
        splits = [folder / _one_name(name, folder / _SPLITS) for name in names]
    for split in splits:
        state = split / "state.json"
        for file in json.loads(read_bounded(state))["_data_files"]:
            _one_name(file["filename"], state)


def _one_name(name: str, where: Path) -> str:
    if {"/", "\\", "\0"} & {*name} or name in ("", ".", ".."):
        raise ZooError(f"{where} names {name!r}, which is not in its folder: save the data again")
    return name
