"""How the C library hands memory back. A network frees and asks for the same large blocks again and again.

By default glibc returns them to the kernel at once and gets them back as pages to be zeroed: about a sixth of a
training step's time on a CPU, up to a third of a forward pass's. torch has no setting for this.
"""

import ctypes
import sys

# Parameters of mallopt(3), from glibc's malloc.h.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -2, -3, -4, -8
# A process that trains and nothing else keeps the peak of a step; one that serves a page keeps what a photo needs,
# and does so once for all threads that answer visitors, not once for each.
TRAINING = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 2**28}
SERVING = {MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**28, ARENA_MAX: 1}


def keep_freed_memory(settings: dict[int, int]) -> bool:
    """Let this process keep memory that it frees, for its next pass; returns whether its C library could be told.

    `settings` is `TRAINING` or `SERVING`. Costs resident memory and computes the same numbers. Does nothing where the
    C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(name, value) == 1 for name, value in settings.items()])


def give_back_freed_memory() -> bool:
    """Hand what this process has freed back to the kernel, once; returns whether its C library has a way to."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    return trim is not None and trim(0) == 1
