"""Memory that a process keeps for its next tensor, and what to say where there is no more of it."""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

from cleave.errors import UserError
from cleave.free_memory import free_bytes

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

LEAST = 2
"""Images of a batch: of one alone there are no batch statistics where a feature map is a single pixel."""

SHARE = 0.9
"""Of the free memory, what is tried."""

FoundType = TypeVar("FoundType")


class OutOfMemory(UserError):
    """There is not enough memory; the message names the keys to lower."""


def lacks_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether an error says that there is no more memory."""
    message = str(error).lower()
    return isinstance(error, MemoryError) or any(word in message for word in WORDS)


@contextmanager
def memory_for(what: str, keys: str) -> Iterator[None]:
    """Turns a lack of memory into an OutOfMemory that says what it was for and which keys to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise OutOfMemory(f"{what}: there is not enough memory; lower {keys}") from error


def within_memory(work: Callable[[], FoundType], explain: Callable[[], OutOfMemory]) -> FoundType:
    """What some work comes to; raises what `explain` says where it runs out of memory.

    By then the memory is free again that it had taken.
    """
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
    raise explain()  # not above: an error holds on to all that the work had at hand


def too_large(
    what: str, key: str, size: int, others: str, attempt: Callable[[int], object], device: str
) -> OutOfMemory:
    """The error for a batch of `size` images, with a smaller one that was seen to fit: `attempt` did the same work.

    `others`: what else can be smaller.
    """
    with capped() if device == "cpu" else nullcontext():
        fit = seen_to_fit(size, attempt)
    advice = f"{key} ({fit} was seen to fit), {others}" if fit else f"{others}: not even {LEAST} images fit"
    return OutOfMemory(f"{what}: there is not enough memory for {key}={size}; use a smaller {advice}")


def seen_to_fit(size: int, attempt: Callable[[int], object]) -> int | None:
    """The first of size/2, size/4, ... with which an attempt does not run out of memory; None where none is."""
    while (size := size // 2) >= LEAST:
        if fits(partial(attempt, size)):
            return size
    return None


def fits(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        return False
    return True


@contextmanager
def capped() -> Iterator[None]:
    """Meanwhile this process is refused what is not there; Linux would grant it, and kill who uses it."""
    free, statm = free_bytes(), Path("/proc/self/statm")
    if free is None or not statm.exists():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = int(statm.read_text(encoding="utf-8").split()[0]) * resource.getpagesize() + int(SHARE * free)
    resource.setrlimit(resource.RLIMIT_AS, (most if soft == resource.RLIM_INFINITY else min(soft, most), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
