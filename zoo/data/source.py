"""What every source of pictures gives: pictures as they are stored, by split, with labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Picture: TypeAlias = Image | NDArray[np.uint8]
    """A Pillow image, or a uint8 array [H, W] or [H, W, C]."""


class Pictures(Protocol):
    """Stored pictures; small enough to be sent to worker processes."""

    def __len__(self) -> int: ...

    def open(self, index: int) -> Picture:
        """The picture, of any size and mode; ZooError, naming it, where it cannot be read."""
        ...

    def where(self, index: int) -> str:
        """The file or row of a picture, for messages."""
        ...


@dataclass(frozen=True)
class Selected:
    """Some of the pictures of a split, in the order of ``indices``."""

    pictures: Pictures
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def open(self, index: int) -> Picture:
        return self.pictures.open(int(self.indices[index]))

    def where(self, index: int) -> str:
        return self.pictures.where(int(self.indices[index]))


@dataclass(frozen=True)
class Part:
    """Pictures and their labels, int64 [N] with -1 where there is none."""

    pictures: Pictures
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pictures)

    def select(self, indices: NDArray[np.int64]) -> Part:
        return Part(Selected(self.pictures, indices), self.labels[indices])


@dataclass(frozen=True)
class Source:
    """A source's splits under the names that it gives them, "train", "validation" or "test".

    Labels count into ``class_names``.
    """

    name: str
    parts: Mapping[str, Part]
    class_names: tuple[str, ...] = ()
    license: str | None = None
    notes: tuple[str, ...] = ()
