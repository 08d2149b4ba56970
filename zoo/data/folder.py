"""A folder of images: subfolders are splits, classes, or both.

``train/``, ``validation/`` (or ``val/``, ``valid/``) and ``test/`` at the top are splits; other
subfolders, at the top or in a split, are classes; files deeper in a class belong to it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.classes import numbered, unlabeled
from zoo.data.decode import check_header, decode_image
from zoo.data.names import local_name
from zoo.data.source import Source, StoredSplit
from zoo.data.splits import ALIASES
from zoo.errors import ZooError

if TYPE_CHECKING:
    from PIL.Image import Image

IGNORED = frozenset({"thumbs.db", "desktop.ini"})
"""Files that desktops create, in lower case; hidden files are ignored too."""


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
            data = path.read_bytes()
        except OSError as error:
            raise ZooError(f"{path} cannot be read: {error.strerror}") from error
        return decode_image(data, str(path))

    def location(self, index: int) -> str:
        return str(self.root / self.files[index])

    def first(self, count: int) -> ImageFiles:
        return ImageFiles(self.root, self.files[:count])


def files_below(root: Path) -> list[str]:
    """Returns the files below ``root``, relative to it with ``/``, sorted; follows links.

    Hidden files and folders and those in IGNORED are left out. Raises ZooError for a folder that
    cannot be read.
    """

    def fail(error: OSError) -> None:
        raise ZooError(f"{error.filename} cannot be read: {error.strerror}") from error

    paths: list[str] = []
    visited: set[str] = set()
    for folder, subfolders, files in os.walk(root, onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:  # a link to a parent folder would never end
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        paths += (
            Path(folder, name).relative_to(root).as_posix()
            for name in files
            if not name.startswith(".") and name.lower() not in IGNORED
        )
    return sorted(paths)


def open_folder(path: Path, files: Sequence[str]) -> Source:
    """Returns the images in ``files``, sorted paths relative to ``path``.

    Every file must be an image. Labels are kept if every image is in a class. Raises ZooError for a
    folder without images and for a file without an image's suffix that Pillow does not recognize;
    other files that are not images raise it when they are decoded.
    """
    if not files:
        raise ZooError(
            f"the folder {path} has no images: add images or subfolders of them, or choose another "
            "data.source"
        )
    _check_other_suffixes(path, files)
    outside: list[str] = []
    by_split = defaultdict[str, list[tuple[str, str | None]]](list)
    has_splits = any(file.split("/")[0].lower() in ALIASES for file in files if "/" in file)
    for file in files:
        *folders, _ = file.split("/")
        split = "train"
        if has_splits:
            alias = ALIASES.get(folders[0].lower()) if folders else None
            if alias is None:
                outside.append(file)
                continue
            split, folders = alias, folders[1:]
        by_split[split].append((file, folders[0] if folders else None))
    notes = []
    if outside:
        several = len(outside) > 1
        notes.append(
            f"{len(outside):,} image{'s' if several else ''} outside the split folders "
            f"{'were' if several else 'was'} left out, {path / outside[0]} first."
        )

    columns, names = numbered(
        {split: [label for _, label in images] for split, images in by_split.items()}
    )
    if names and any((column < 0).any() for column in columns.values()):
        notes.append("Labels were left out: some images are outside the class folders.")
        columns, names = {split: unlabeled(len(c)) for split, c in columns.items()}, ()
    splits = {
        split: StoredSplit(ImageFiles(path, tuple(file for file, _ in images)), columns[split])
        for split, images in by_split.items()
    }
    return Source(local_name(path), splits, names, notes=tuple(notes))


def _check_other_suffixes(path: Path, files: Sequence[str]) -> None:
    """Checks files without an image's suffix before any image is decoded."""
    from PIL import Image

    suffixes = set(Image.registered_extensions())
    for file in files:
        if Path(file).suffix.lower() not in suffixes:
            check_header(path / file)
