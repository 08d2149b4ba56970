"""The order of pictures in training: a pure function of the seed and the batch's index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Order:
    """Which pictures make a batch, for one of ``world`` processes.

    All epochs follow one another, each in a random order of its own, and batch ``b`` is what
    lies at the positions ``b * batch_size`` to ``(b + 1) * batch_size - 1``: batches may straddle
    epochs, and nothing is dropped. Each process takes a contiguous slice of the batch.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        if count < 1:
            raise ZooError("there is no picture to train on: give a data.source with some")
        if batch_size < 1 or batch_size % world:
            raise ZooError(
                f"training.batch_size is {batch_size}, which {world} processes cannot share: "
                f"choose a multiple of {world}"
            )
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.rank, self.share = rank, batch_size // world
        self._last: tuple[int, NDArray[np.int64]] | None = None

    def batch(self, index: int) -> NDArray[np.int64]:
        """The pictures of this process's part of batch ``index``: int64 [batch_size / world]."""
        import numpy as np

        start = index * self.batch_size + self.rank * self.share
        stop, pieces = start + self.share, []
        while start < stop:
            epoch, place = divmod(start, self.count)
            pieces.append(self._epoch(epoch)[place : place + stop - start])
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
    """The batches of an order from ``start`` on, for a loader that asks for one after another."""

    order: Order
    start: int

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        index = self.start
        while True:
            yield self.order.batch(index)
            index += 1
