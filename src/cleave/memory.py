"""Memory that a process keeps for its next tensor, and what to say where there is no more of it."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h
MOST = 2**31 - 1


def keep_memory() -> bool:
    """Has glibc take large tensors from its heap and never give the heap's end back; False where there is no glibc.

    By default every tensor of more than 32 MiB (and at first of 128 KiB) is mapped anew, and every page of it is a
    fault: a quarter to a third of the time of many small layers on a CPU. No result changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    done = [mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, MOST), mallopt(M_TOP_PAD, 64 * 2**20)]
    return all(done)


WORDS = ("allocate memory", "out of memory", "alloc_failed", "bad_alloc")
"""torch has a class for this on GPUs, and on the CPU only such messages; CUDA's libraries have theirs."""


def lacks_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether an error says that there is no more memory."""
    message = str(error).lower()
    return isinstance(error, MemoryError) or any(word in message for word in WORDS)
