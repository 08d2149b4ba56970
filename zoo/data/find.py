"""From the word after ``--data`` to a source: a path, a name, or a data set on the Hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo.data import digits, folder, hub, names, npz, parquet
from zoo.data.source import Source
from zoo.data.walk import files_below
from zoo.errors import UsageError


def find(source: str) -> Source:
    """The source that ``source`` names; a path that exists wins over a name.

    Raises UsageError where it is none of them.
    """
    path = names.path_of(source)
    if path is not None:
        return _with_note(_local(path), source)
    origin = names.origin(source)
    if origin is None:
        raise names.unknown(source)
    return digits.open_digits() if origin.repository is None else hub.open_hub(source, origin)


def _local(path: Path) -> Source:
    if path.is_dir():
        files = files_below(path)
        if any(name.lower().endswith(".parquet") for name in files):
            return parquet.open_parquet(path, files)
        return folder.open_folder(path, files)
    match path.suffix.lower():
        case ".npz":
            return npz.open_npz(path)
        case ".parquet":
            return parquet.open_parquet(path, [path.name])
    raise UsageError(
        f"{path} is no data that can be read: data.source takes a folder of pictures, a .parquet "
        "file or a folder of them, or an .npz file"
    )


def _with_note(source: Source, given: str) -> Source:
    """A folder that is called like a known data set is taken, but not in silence."""
    if given not in names.KNOWN:
        return source
    note = f"{given!r} is the folder of that name here, not the data set."
    return replace(source, notes=(note, *source.notes))
