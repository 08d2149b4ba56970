"""The order of training images, a function of the seed and the batch's index alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Order:
    """The image indices of each batch, for one of ``world`` processes.

    Epochs are concatenated, each in its own random order, and batch ``b`` has the positions
    ``b * batch_size`` to ``(b + 1) * batch_size - 1``: batches may span two epochs, and no image is
    dropped. Each process takes a contiguous slice of the batch.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        if count < 1:
            raise ZooError("there are no training images: use another data.source")
        if batch_size < 1 or batch_size % world:
            raise ZooError(
                f"training.batch_size must be a multiple of the {world} processes; got {batch_size}"
            )
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.rank, self.share = rank, batch_size // world
        self._last: tuple[int, NDArray[np.int64]] | None = None

    def batch(self, index: int) -> NDArray[np.int64]:
        """Returns this process's part of batch ``index``: int64 [batch_size / world]."""
        import numpy as np

        start = index * self.batch_size + self.rank * self.share
        stop, pieces = start + self.share, []
        while start < stop:
            epoch, position = divmod(start, self.count)
            pieces.append(self._epoch(epoch)[position : position + stop - start])
            start += len(pieces[-1])
        return np.concatenate(pieces)

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        import numpy as np

        if self._last is None or self._last[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
            self._last = epoch, order
        return self._last[1]


@dataclass(frozen=True)
class EndlessOrder:
    """The batches of an order from ``start`` on, as the sampler of a loader."""

    order: Order
    start: int

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        index = self.start
        while True:
            yield self.order.batch(index)
            index += 1
