"""A prepared dataset: splits of images of one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from zoo.data.source import Selected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.config.sections import DataConfig
    from zoo.data.preparation.prepare import Preparation
    from zoo.data.preparation.values import Values
    from zoo.data.source import LeftOut, StoredImages
    from zoo.specs import ImageSpec


class Split(Protocol):
    """Images of one shape: ``split[i]`` is a uint8 array [C, S, S], 0 to 255, and its label."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels of all images, indices of the dataset's classes, int64 [N]; -1 for none."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]: ...

    def select(self, indices: NDArray[np.int64]) -> Split:
        """Returns the images at ``indices``, in that order."""
        ...


@dataclass(frozen=True, eq=False)
class ResidentSplit:
    """A split in memory: ``images`` uint8 [N, C, S, S] and ``labels`` int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return self.images[index], int(self.labels[index])

    def select(self, indices: NDArray[np.int64]) -> ResidentSplit:
        return ResidentSplit(self.images[indices], self.labels[indices])


@dataclass(frozen=True, eq=False)
class StreamedSplit:
    """A split that decodes an image each time it is read; worker processes get a copy.

    Reading raises :class:`zoo.errors.ZooError`, naming the image, if it cannot be prepared.
    """

    stored: StoredImages
    labels: NDArray[np.int64]
    prepare: Preparation

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        image = self.stored.open(index)
        return self.prepare(image, self.stored.location(index)), int(self.labels[index])

    def select(self, indices: NDArray[np.int64]) -> StreamedSplit:
        return StreamedSplit(Selected(self.stored, indices), self.labels[indices], self.prepare)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one shape, in the splits "train", "validation" and "test".

    ``name`` is a path's last component without suffix, else the source as configured. "validation"
    and "test" may be empty. ``config`` is the configuration with everything that was determined
    from the data. ``license`` is None if unknown. ``kind`` says what the source is ("a folder of
    class folders"). ``notes`` are sentences for the user about the preparation, ``left_out`` are
    parts of the source that are not used. ``values`` are those of the training images; ``sizes``
    are width and height of the smallest and the largest image as stored. ``unknown_classes`` are
    the classes of training images that the run, whose classes the data were opened with, does not
    know. ``ids``, filled on request, are the hashes of the images of each split, in hexadecimal
    digits; equal images have equal ids, whatever the seed.
    """

    name: str
    image_spec: ImageSpec
    splits: Mapping[str, Split]
    config: DataConfig
    license: str | None = None
    kind: str = ""
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    values: Values | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    unknown_classes: tuple[str, ...] = ()
    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
