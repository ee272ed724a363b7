"""How the C library hands memory back. A training step frees and asks for the same gigabyte again and again.

By default glibc returns large blocks to the kernel at once and gets them back as pages to be zeroed: about a sixth of
a step's time on a CPU. torch has no setting for this.
"""

import ctypes
import sys

# Parameters of mallopt(3), from glibc's malloc.h.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
KEPT_BYTES = 2**31 - 1  # the largest that mallopt's int can say
GROWTH_BYTES = 2**28


def keep_freed_memory() -> bool:
    """Let this process keep the memory it frees, for its next step; returns whether its C library could be told.

    Costs resident memory (the peak of a step stays), so it is for a process that trains and nothing else. Computes the
    same numbers. Does nothing where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {MMAP_MAX: 0, TRIM_THRESHOLD: KEPT_BYTES, TOP_PAD: GROWTH_BYTES}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])
