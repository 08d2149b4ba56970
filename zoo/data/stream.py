"""Decoding in worker processes, in a given order."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.data.dataset import Split
from zoo.errors import ZooError

Indices: TypeAlias = NDArray[np.int64] | range
"""The images of a batch."""


@dataclass(frozen=True, eq=False)
class Reader(Dataset[tuple[Tensor, Tensor] | str]):
    """Reads a whole batch for the loader: uint8 [N, C, S, S] and labels int64 [N].

    Returns the message of a ZooError: if a worker raises it, the loader adds a traceback.
    """

    split: Split

    def __getitem__(self, indices: Indices) -> tuple[Tensor, Tensor] | str:
        try:
            pairs = [self.split[int(index)] for index in indices]
        except ZooError as error:
            return str(error)
        images = torch.from_numpy(np.stack([image for image, _ in pairs]))
        return images, torch.tensor([label for _, label in pairs])


def stream(
    split: Split, order: Iterable[Indices], workers: int, pin: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields the batches of ``order``, each the indices of images of ``split``.

    ``workers`` processes decode ahead, none if 0; ``pin`` returns pinned memory, for CUDA. Raises
    ZooError for an image that cannot be read and for a worker that died.
    """
    loader = DataLoader(
        Reader(split),
        sampler=order,
        batch_size=None,  # each index is a whole batch, read by one worker
        num_workers=min(workers, _processors()),
        pin_memory=pin,
        worker_init_fn=_reset_signals,
        # Workers are seeded from it, and not from the global generator that training uses.
        generator=torch.Generator(),
    )
    batches = iter(loader)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            if not re.search("exited unexpectedly|killed by signal", str(error)):
                raise
            raise ZooError(
                "a process that decodes images died, perhaps out of memory: use "
                f"fewer than {workers} with --set data.workers=N, or 0"
            ) from error
        if isinstance(batch, str):
            raise ZooError(batch)
        yield batch[0], batch[1]


def _reset_signals(worker: int) -> None:
    """Ignores Ctrl-C, which reaches all processes of the terminal but is handled by the parent, and
    undoes the inherited handler of SIGTERM, so that the parent can stop the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
