"""Buffers of modules that are evaluated again in the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def restored_buffers(module: nn.Module) -> Iterator[None]:
    """Restores the buffers of ``module`` afterwards, such as running statistics, which the forward
    pass has updated already."""
    buffers = list(module.buffers()) if module.training else []
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:  # a recomputation may end early, by an exception
        for buffer, values in zip(buffers, before, strict=True):
            # By data, since autograd refuses to use a saved buffer that changed.
            buffer.data.copy_(values)
