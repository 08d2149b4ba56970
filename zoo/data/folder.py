"""A folder of pictures: sub-folders are splits, or classes, or both.

``train/``, ``validation/`` (or ``val/``, ``valid/``) and ``test/`` at the top are splits; other
sub-folders, at the top or in a split, are classes, and what lies deeper belongs to them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.classes import numbered, unlabeled
from zoo.data.decode import check_picture, open_picture
from zoo.data.names import local_name
from zoo.data.source import Part, Source
from zoo.data.splits import ALIASES
from zoo.errors import ZooError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class FolderPictures:
    """Files below ``root``, by their relative paths."""

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
        return open_picture(data, str(path))

    def where(self, index: int) -> str:
        return str(self.root / self.files[index])


def open_folder(path: Path, files: Sequence[str]) -> Source:
    """The pictures among ``files``, which are relative to ``path`` and sorted.

    Every file must be a picture. Labels are kept where every picture lies in a class. Raises
    ZooError for a folder without pictures and, at once, for a file whose suffix is no picture's
    and that Pillow cannot read; other files that are no pictures are found as they are decoded.
    """
    if not files:
        raise ZooError(
            f"the folder {path} has no picture: put pictures in it, or sub-folders of them, or "
            "give another data.source"
        )
    _refuse_strangers(path, files)
    beside: list[str] = []
    by_split = defaultdict[str, list[tuple[str, str | None]]](list)
    split_like = any(file.split("/")[0].lower() in ALIASES for file in files if "/" in file)
    for file in files:
        *folders, _ = file.split("/")
        split = "train"
        if split_like:
            named = ALIASES.get(folders[0].lower()) if folders else None
            if named is None:
                beside.append(file)
                continue
            split, folders = named, folders[1:]
        by_split[split].append((file, folders[0] if folders else None))
    notes = []
    if beside:
        many = len(beside) > 1
        notes.append(
            f"{len(beside):,} picture{'s' if many else ''} beside the folders of splits "
            f"{'were' if many else 'was'} left out, {path / beside[0]} first."
        )

    columns, names = numbered(
        {split: [label for _, label in pictures] for split, pictures in by_split.items()}
    )
    if names and any((column < 0).any() for column in columns.values()):
        notes.append("Labels were left out: some pictures lie beside the folders of classes.")
        columns, names = {split: unlabeled(len(c)) for split, c in columns.items()}, ()
    parts = {
        split: Part(FolderPictures(path, tuple(file for file, _ in pictures)), columns[split])
        for split, pictures in by_split.items()
    }
    return Source(local_name(path), parts, names, notes=tuple(notes))


def _refuse_strangers(path: Path, files: Sequence[str]) -> None:
    """Open what has not a picture's suffix now, so that a stray text is named before any work."""
    from PIL import Image

    known = set(Image.registered_extensions())
    for file in files:
        if Path(file).suffix.lower() not in known:
            check_picture(path / file)
