"""The source that ``data.source`` names: a path, a known name, or a dataset on the Hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo.data import digits, folder, hub, names, npz, parquet
from zoo.data.source import Source
from zoo.errors import UsageError


def find_source(source: str) -> Source:
    """Opens ``source``; a path that exists wins over a name.

    Raises UsageError if it is neither a path, a known name nor ``user/dataset``.
    """
    path = names.path_of(source)
    if path is not None:
        return _with_note(_open_path(path), source)
    origin = names.origin(source)
    if origin is None:
        raise names.unknown(source)
    return digits.open_digits() if origin.repository is None else hub.open_hub(source, origin)


def _open_path(path: Path) -> Source:
    if path.is_dir():
        files = folder.files_below(path)
        if any(name.lower().endswith(".parquet") for name in files):
            return parquet.open_parquet(path, files)
        return folder.open_folder(path, files)
    match path.suffix.lower():
        case ".npz":
            return npz.open_npz(path)
        case ".parquet":
            return parquet.open_parquet(path, [path.name])
    raise UsageError(
        f"{path} has an unknown format: data.source must be a folder of images, a .parquet file or "
        "a folder of them, or an .npz file"
    )


def _with_note(opened: Source, source: str) -> Source:
    """Adds a note where a path is called like a known dataset."""
    if source not in names.KNOWN:
        return opened
    note = f"{source!r} is the local folder of that name, not the known dataset."
    return replace(opened, notes=(note, *opened.notes))
