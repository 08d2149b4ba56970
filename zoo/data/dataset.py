"""A data set as the rest of the zoo sees it: named splits of pictures of one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.data.prepare import Preparation
    from zoo.data.source import Pictures
    from zoo.specs import ImageSpec


class Split(Protocol):
    """Pictures of one shape: ``len(split)``, and ``split[i]`` as a uint8 array [C, S, S] with
    values 0 to 255 and its label, -1 where there is none."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels of all pictures, int64 [N]; -1 where there is none."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]: ...


@dataclass(frozen=True, eq=False)
class ResidentSplit:
    """A split in memory: ``images`` uint8 [N, C, S, S] and ``labels`` int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return self.images[index], int(self.labels[index])


@dataclass(frozen=True, eq=False)
class StreamedSplit:
    """A split whose pictures are decoded as they are read; it is sent whole to worker processes.

    Reading a picture that is broken or cannot be brought to the shape raises
    :class:`zoo.errors.ZooError`, which names it.
    """

    pictures: Pictures
    labels: NDArray[np.int64]
    prepare: Preparation

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        picture = self.pictures.open(index)
        return self.prepare(picture, self.pictures.where(index)), int(self.labels[index])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures brought to one shape, in the splits "train", "validation" and "test".

    ``name`` is a local path's last component without suffix, else the source as it was given.
    ``validation`` and ``test`` may be empty. ``class_names`` has ``image.classes`` names.
    ``license`` is None where it is not known. ``notes`` are sentences for the user on what was
    done to the pictures.
    """

    name: str
    image: ImageSpec
    splits: Mapping[str, Split]
    class_names: tuple[str, ...] = ()
    license: str | None = None
    notes: tuple[str, ...] = ()
