"""Decoding in worker processes, in the order that is asked for."""

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
"""The pictures of a batch."""


@dataclass(frozen=True, eq=False)
class Reader(Dataset[tuple[Tensor, Tensor] | str]):
    """Reads a whole batch for the loader: pictures uint8 [N, C, S, S] and labels int64 [N].

    A fault comes back as its sentence: raised in a worker, it would arrive as a traceback.
    """

    split: Split

    def __getitem__(self, indices: Indices) -> tuple[Tensor, Tensor] | str:
        try:
            pairs = [self.split[int(index)] for index in indices]
        except ZooError as error:
            return str(error)
        pictures = torch.from_numpy(np.stack([picture for picture, _ in pairs]))
        return pictures, torch.tensor([label for _, label in pairs])


def stream(
    split: Split, order: Iterable[Indices], workers: int, pin: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of ``order``, each the indices of pictures of ``split``, as they were asked for.

    ``workers`` processes decode ahead, none if 0; ``pin`` gives pinned memory, for CUDA. Raises
    ZooError for a picture that cannot be read and for a worker that died.
    """
    loader = DataLoader(
        Reader(split),
        sampler=order,
        batch_size=None,  # an index is a whole batch, so that one worker reads it
        num_workers=min(workers, _processors()),
        pin_memory=pin,
        worker_init_fn=_leave_signals,
        # A loader draws a seed for its workers: not from the generator that training uses.
        generator=torch.Generator(),
    )
    batches = iter(loader)
    while True:
        try:
            found = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            if not re.search("exited unexpectedly|killed by signal", str(error)):
                raise
            raise ZooError(
                "a process that decodes pictures has died, perhaps for want of memory: use "
                f"fewer than {workers} with --set data.workers=N, or 0"
            ) from error
        if isinstance(found, str):
            raise ZooError(found)
        yield found[0], found[1]


def _leave_signals(worker: int) -> None:
    """Ctrl-C reaches every process of the terminal, but it is the parent that saves and stops;
    and a worker that inherited the parent's handler of SIGTERM could not be ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
