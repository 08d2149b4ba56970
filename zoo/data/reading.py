"""A pass over stored images: each is decoded once, to be prepared, hashed, or both."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.decode import Change
from zoo.data.hashing import image_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.data.prepare import Preparation
    from zoo.data.source import StoredImages

_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Reading:
    """Prepared images, uint8 [N, C, S, S], counts of their changes, and hashes of all images."""

    images: NDArray[np.uint8]
    changes: Counter[Change]
    hashes: Sequence[bytes] = ()


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

        def visit(chunk: NDArray[np.int64]) -> tuple[Counter[Change], list[bytes]]:
            changes: Counter[Change] = Counter()
            hashes: list[bytes] = []
            for index in chunk.tolist():
                image, location = self.stored.open(index), self.stored.location(index)
                if (row := rows[index]) >= 0:
                    images[row], change = preparation.apply(image, location)
                    changes.update(change)
                if self.hashed:
                    hashes.append(image_hash(image, location))
            return changes, hashes

        chunks = [indices[start : start + _CHUNK] for start in range(0, len(indices), _CHUNK)]
        total: Counter[Change] = Counter()
        hashes: list[bytes] = []
        done = 0
        pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
        try:
            for chunk, (changes, values) in zip(chunks, pool.map(visit, chunks), strict=True):
                total.update(changes)
                hashes += values
                done += len(chunk)
                report(done)
        finally:
            pool.shutdown(cancel_futures=True)
        return Reading(images, total, hashes)
