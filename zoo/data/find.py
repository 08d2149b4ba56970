"""The source that ``data.source`` names: a path, a known name, or a dataset on the Hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data import digits, names
from zoo.data.folders import folder
from zoo.data.folders.formats import unknown_format
from zoo.data.folders.listing import Listing, counted, list_files
from zoo.data.source import LeftOut, Source
from zoo.data.tables import hub, npz, parquet, saved
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.config.sections import DataConfig


def find_source(config: DataConfig) -> Source:
    """Opens ``config.source``, as its layout and column say; a path that exists wins over a name.

    Raises UsageError if it is neither a path, a known name nor ``user/dataset``, and ZooError for
    data that can be read in two ways, naming both and the setting that decides.
    """
    path = names.path_of(config.source)
    if path is not None:
        return _with_note(_open_path(path, config), config.source)
    origin = names.origin(config.source)
    if origin is None:
        raise names.unknown(config.source)
    if origin.repository is None:
        return digits.open_digits()
    return hub.open_hub(config.source, origin, config.column)


def _open_path(path: Path, config: DataConfig) -> Source:
    if path.is_dir():
        return _open_folder(list_files(path), config)
    match path.suffix.lower():
        case ".npz":
            return npz.open_npz(path, config.column)
        case ".parquet":
            return parquet.open_parquet(Listing(path, (path.name,)), config)
    raise unknown_format(path)


def _open_folder(listing: Listing, config: DataConfig) -> Source:
    """Opens a folder of images or of tables; of both only where a setting decides."""
    if saved.is_saved(listing):
        return saved.open_saved(listing, config.column)
    tables, images = parquet.tables_in(listing)
    if not tables or (images and config.layout is not None and config.column is None):
        files = tuple(file for file in listing.files if file not in set(tables))
        source = folder.open_folder(replace(listing, files=files), config.layout)
        return _leave_out(source, tables, "parquet file", "data.layout reads the images")
    if images and parquet.refers_to_files(listing.root, tables, config.column):
        images = []
    if images and config.column is None:
        raise ZooError(
            f"{listing.root} has {counted(images, 'image', 'images')} beside "
            f"{counted(tables, 'parquet file', 'parquet files')}: name the parquet file as "
            "data.source, or read the images with --set data.layout=images, classes or splits"
        )
    source = parquet.open_parquet(replace(listing, files=tuple(tables)), config)
    return _leave_out(source, images, "image", "data.column reads the parquet files")


def _leave_out(source: Source, files: list[str], kind: str, why: str) -> Source:
    if not files:
        return source
    part = LeftOut(counted(files, kind, f"{kind}s"), why)
    return replace(source, left_out=(*source.left_out, part))


def _with_note(opened: Source, source: str) -> Source:
    """Adds a note where a path is called like a known dataset."""
    if source not in names.KNOWN:
        return opened
    note = f"{source!r} is the local folder of that name, not the known dataset."
    return replace(opened, notes=(note, *opened.notes))
