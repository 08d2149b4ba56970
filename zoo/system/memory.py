"""Memory of the process: its peak, and glibc's reuse of freed memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of glibc's settings (mallopt(3))."""

_MAX_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Makes glibc reuse the memory of large arrays instead of returning it to the system.

    By default each array above 32 MiB gets new pages, which the system zeroes first; that takes
    longer than many operations on it. Does nothing with another C library.
    """
    if sys.platform != "linux":
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # not glibc
        return
    mallopt(_MMAP_THRESHOLD, _MAX_INT)
    mallopt(_TRIM_THRESHOLD, _MAX_INT)


def peak_memory(device: torch.device) -> str:
    """Returns ``"peak memory 739 MiB"``: torch's allocations on CUDA, else the resident set."""
    if device.type == "cuda":
        import torch

        allocated = torch.cuda.max_memory_allocated(device)
        return f"peak memory {allocated / 2**20:.0f} MiB on {device}"
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"peak memory {peak / (2**20 if sys.platform == 'darwin' else 2**10):.0f} MiB"
