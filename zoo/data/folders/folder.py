"""A folder of images, whose folders may be splits, classes, or both: see ``layout``."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.classes import numbered, unlabeled
from zoo.data.folders.formats import advice, check_readable
from zoo.data.folders.layout import Layout, Reading, read_layout
from zoo.data.folders.listing import Listing
from zoo.data.folders.masks import without_masks
from zoo.data.folders.metadata import Metadata, read_metadata, split_off
from zoo.data.names import local_name
from zoo.data.preparation.decode import MAX_BYTES, check_header, decode_image
from zoo.data.source import LeftOut, Source, StoredSplit
from zoo.errors import ZooError
from zoo.system.files import check_size

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class ImageFiles:
    """Image files by their paths relative to ``root``."""

    root: Path
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    def open(self, index: int) -> Image:
        path = self.root / self.files[index]
        try:
            check_size(path, MAX_BYTES)
            data = path.read_bytes()
        except OSError as error:
            raise ZooError(f"{path} cannot be read: {error.strerror}") from error
        if not data:
            check_readable(path)
        return decode_image(data, str(path))

    def location(self, index: int) -> str:
        return str(self.root / self.files[index])


def open_folder(listing: Listing, layout: Layout | None = None) -> Source:
    """Returns the images of a folder; ``layout`` decides what its folders mean, if it is set.

    Every file must be an image, but for annotations and masks. Raises ZooError for a folder without
    images, for one that can be read in two ways, and for a file without an image's suffix that
    Pillow does not recognize; other files that are not images raise it when they are decoded.
    """
    path, name = listing.root, str(listing.root)
    files, masks = without_masks(name, listing.files, decided=layout is not None)
    files, tables, annotations = split_off(files)
    if not files:
        raise _no_images(listing)
    metadata = Metadata()
    if layout != "classes":
        metadata = read_metadata(path, tables, files)
    elif tables:
        why = "data.layout=classes reads folders"
        metadata.left_out += [LeftOut(f"the file {table}", why) for table in tables]
    reading = read_layout(name, files, layout, labeled=metadata.labels is not None)
    _check_other_suffixes(path, files)
    if metadata.labels is not None and reading.layout == "images" and "/" in files[0] + files[-1]:
        reading.notes.append(
            "Folders have no meaning beside a file of labels; --set data.layout=classes reads them."
        )
    columns, class_names = numbered(_labels(reading, metadata))
    splits = {
        split: StoredSplit(
            ImageFiles(path, tuple(file for file, _ in images)),
            columns[split] if class_names else unlabeled(len(images)),
        )
        for split, images in reading.splits.items()
    }
    return Source(
        local_name(path),
        splits,
        class_names,
        notes=(*listing.notes, *metadata.notes, *reading.notes),
        kind=reading.kind + (" with a file of labels" if metadata.labels is not None else ""),
        layout=reading.layout,
        left_out=(
            *listing.left_out,
            *masks,
            *annotations,
            *metadata.left_out,
            *reading.left_out,
        ),
    )


def _labels(reading: Reading, metadata: Metadata) -> Mapping[str, Sequence[str | None]]:
    if metadata.labels is None:
        return {split: [label for _, label in images] for split, images in reading.splits.items()}
    return {
        split: [metadata.labels.get(file) for file, _ in images]
        for split, images in reading.splits.items()
    }


def _no_images(listing: Listing) -> ZooError:
    if listing.left_out:
        first = listing.left_out[0]
        return ZooError(
            f"the folder {listing.root} has no images but what is left out: {first.what} "
            f"({first.why})"
        )
    return ZooError(
        f"the folder {listing.root} has no images: add images or subfolders of them, or choose "
        "another data.source"
    )


def _check_other_suffixes(path: Path, files: Sequence[str]) -> None:
    """Checks files without an image's suffix before any image is decoded."""
    from PIL import Image

    suffixes = set(Image.registered_extensions())
    for file in files:
        if posixpath.splitext(file)[1].lower() not in suffixes:
            check_readable(path / file)
            try:
                check_header(path / file)
            except ZooError as error:
                text = advice(path / file, inside=True)
                raise error if text is None else ZooError(f"{path / file} {text}") from error
