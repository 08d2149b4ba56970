"""The interface of a source: stored images by split, with labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    StoredImage: TypeAlias = Image | NDArray[Any]
    """A Pillow image, or an array of numbers [H, W] or [H, W, C]."""


class StoredImages(Protocol):
    """Images of any size and mode; cheap to send to worker processes."""

    def __len__(self) -> int: ...

    def open(self, index: int) -> StoredImage:
        """Returns an image; raises ZooError, naming it, if it cannot be read."""
        ...

    def location(self, index: int) -> str:
        """Returns the file or row of an image, for messages."""
        ...


@dataclass(frozen=True)
class Selected:
    """A subset of stored images, in the order of ``indices``."""

    images: StoredImages
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def open(self, index: int) -> StoredImage:
        return self.images.open(int(self.indices[index]))

    def location(self, index: int) -> str:
        return self.images.location(int(self.indices[index]))


@dataclass(frozen=True)
class StoredSplit:
    """Stored images and their labels, int64 [N], -1 for none."""

    images: StoredImages
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def select(self, indices: NDArray[np.int64]) -> StoredSplit:
        return StoredSplit(Selected(self.images, indices), self.labels[indices])


@dataclass(frozen=True)
class LeftOut:
    """A part of a source that is not used, such as a folder or a column, and the reason."""

    what: str
    why: str


@dataclass(frozen=True)
class Source:
    """The splits that a source has, named "train", "validation" or "test".

    Labels are indices of ``class_names``, those of all splits. ``kind`` says what the source is;
    ``layout`` and ``column`` are the values of the settings of these names that apply, None where
    they have no meaning.
    """

    name: str
    splits: Mapping[str, StoredSplit]
    class_names: tuple[str, ...] = ()
    license: str | None = None
    notes: tuple[str, ...] = ()
    kind: str = ""
    layout: str | None = None
    column: str | None = None
    left_out: tuple[LeftOut, ...] = ()
