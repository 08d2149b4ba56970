"""Memory of the process: its peak, and glibc's handling of freed memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of glibc's settings (mallopt(3))."""

_MOST = 2**31 - 1


def keep_freed_memory() -> None:
    """Have glibc reuse the memory of large arrays instead of giving it back to the system.

    Otherwise each array above 32 MiB comes as new pages that the system must fill with zeros first,
    which takes longer than many an operation on it. Nothing happens where the library is another.
    """
    if sys.platform != "linux":
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return
    mallopt(_MMAP_THRESHOLD, _MOST)
    mallopt(_TRIM_THRESHOLD, _MOST)


def peak_memory(device: torch.device) -> str:
    """Returns the peak memory of this process as text: torch's allocations on
    CUDA, else the resident set."""
    if device.type == "cuda":
        import torch

        return f"{torch.cuda.max_memory_allocated(device) / 2**20:.0f} MiB on {device}"
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{peak / (2**20 if sys.platform == 'darwin' else 2**10):.0f} MiB"
