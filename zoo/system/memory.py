"""Memory that is freed stays with the process, where the C library can be told so."""

from __future__ import annotations

import sys

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
