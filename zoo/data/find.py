"""From the word after ``--data`` to a source: a path, a name, or a data set on the Hub."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.data import digits, folder, hub, npz, parquet
from zoo.data.source import Source
from zoo.data.walk import files_below
from zoo.errors import UsageError, nearest

NAMES = (digits.NAME, *hub.SETS)
"""The data sets that have a name here."""


def find(source: str) -> Source:
    """The source that ``source`` names; a path that exists wins over a name.

    Raises UsageError where it is none of them.
    """
    try:
        path = Path(source).expanduser()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{source!r} cannot be a path or a name of data: {error}") from error
    if exists:
        return _with_note(_local(path), source)
    if source == digits.NAME:
        return digits.open_digits()
    if source in hub.SETS or (hub.REPOSITORY.fullmatch(source) and not _path_like(source)):
        return hub.open_hub(source)
    if _path_like(source):
        raise UsageError(f"data.source is {source!r}: there is no such file or folder")
    raise UsageError(
        f"data.source is {source!r}, which is neither a file or folder, nor user/dataset on the "
        f"Hub, nor a known name{nearest(source, NAMES)}"
    )


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
    if given not in NAMES:
        return source
    note = f"{given!r} is the folder of that name here, not the data set."
    return Source(
        source.name, source.parts, source.class_names, source.license, (note, *source.notes)
    )


def _path_like(source: str) -> bool:
    return bool(
        re.match(r"[./~\\]|[A-Za-z]:[\\/]", source)
        or source.endswith(("/", "\\"))
        or re.search(r"\.(npz|parquet)$", source, re.IGNORECASE)
        or source.count("/") > 1
    )
