"""How the C library treats memory that was freed."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's ``mallopt``."""

KEPT_BYTES = 2**28
"""So much free memory at the end of the heap stays the process's."""
MAPPED_BYTES = 2**25
"""From this size on memory comes from the kernel by itself, and goes back there: the most that glibc allows."""


def keep_freed() -> None:
    """Lets this process keep the memory of an epoch for the next one; nothing where the C library is not glibc.

    Otherwise some megabytes go back to the kernel at the end of each epoch and are asked for again, page by page, in the next one.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
