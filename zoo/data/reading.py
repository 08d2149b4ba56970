"""A pass over stored images: each is decoded once, to be prepared, hashed, or both."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zoo.data.hashing import image_hash
from zoo.data.preparation.decode import Change

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.data.preparation.prepare import Preparation
    from zoo.data.source import StoredImage, StoredImages

_CHUNK = 64

Size: TypeAlias = tuple[int, int]
"""Width and height."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Prepared images, uint8 [N, C, S, S], counts of their changes, and hashes of all images.

    ``sizes`` are width and height of the smallest and the largest image as stored.
    """

    images: NDArray[np.uint8]
    changes: Counter[Change]
    hashes: Sequence[bytes] = ()
    sizes: tuple[Size, ...] = ()


@dataclass(frozen=True)
class Reader:
    """Reads the images ``prepared`` and, with ``hashed``, hashes all images of ``stored``."""

    stored: StoredImages
    prepared: NDArray[np.int64]
    hashed: bool

    def __len__(self) -> int:
        """The number of images to decode."""
        return len(self.stored) if self.hashed else len(self.prepared)

    def read(self, preparation: Preparation, report: Callable[[int], None]) -> Reading:
        """Decodes the images in threads, since Pillow and zlib release the GIL.

        Calls ``report`` with the number of images done. Raises ZooError, naming the image, for one
        that cannot be used.
        """
        shape = (len(self.prepared), preparation.channels, preparation.size, preparation.size)
        images = np.empty(shape, dtype=np.uint8)
        indices = np.arange(len(self.stored)) if self.hashed else self.prepared
        rows = np.full(len(self.stored), -1)
        rows[self.prepared] = np.arange(len(self.prepared))

        def visit(chunk: NDArray[np.int64]) -> tuple[Counter[Change], list[bytes], set[Size]]:
            changes: Counter[Change] = Counter()
            hashes: list[bytes] = []
            sizes: set[Size] = set()
            for index in chunk.tolist():
                image, location = self.stored.open(index), self.stored.location(index)
                sizes.add(_size(image))
                if (row := rows[index]) >= 0:
                    images[row], change = preparation.apply(image, location)
                    changes.update(change)
                if self.hashed:
                    hashes.append(image_hash(image, location))
            return changes, hashes, sizes

        chunks = [indices[start : start + _CHUNK] for start in range(0, len(indices), _CHUNK)]
        total: Counter[Change] = Counter()
        hashes: list[bytes] = []
        sizes: tuple[Size, ...] = ()
        done = 0
        pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
        try:
            visits = zip(chunks, pool.map(visit, chunks), strict=True)
            for chunk, (changes, values, seen) in visits:
                total.update(changes)
                hashes += values
                sizes = extremes([*sizes, *seen])
                done += len(chunk)
                report(done)
        finally:
            pool.shutdown(cancel_futures=True)
        return Reading(images, total, hashes, sizes)


def extremes(sizes: Iterable[Size]) -> tuple[Size, ...]:
    """Returns the smallest and the largest of ``sizes`` by area."""
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return (ordered[0], ordered[-1]) if ordered else ()


def _size(image: StoredImage) -> Size:
    if isinstance(image, np.ndarray):
        return image.shape[1], image.shape[0]
    return image.size
