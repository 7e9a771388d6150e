"""Reading many image files: in threads, with a cache, with progress; what cannot be used is told all at once."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cleave.data.cache import Cache, stamp_of
from cleave.data.decode import Pixels, Resample, Unusable, caught, decode, warnings_caught
from cleave.errors import UserError, cause

LISTED = 20  # files that a message names, before the rest is counted
MOST_THREADS = 8
CHUNK = 32  # files that are looked up, decoded and kept together
SETTLED = 2.0  # seconds after which a file that changes gets another time stamp on any file system
QUIET = 0.5  # seconds before the first sign of life, and between two
BLOCK = 1 << 20


Storage = Literal["auto", "memory", "map"]


class Known(Protocol):
    """What was decoded before, and keeps what is decoded now; asked by several threads, told by one."""

    def of_file(self, path: bytes, stamp: str) -> Pixels | None: ...
    def of_content(self, content: bytes) -> Pixels | None: ...
    def keep(self, path: bytes, stamp: str | None, content: bytes, pixels: Pixels) -> None: ...


class Reading:
    """How images are read, and what of them could not be used.

    `progress(done, total)` is called now and then while files are decoded, `say(line)` with what a person should
    know. `storage`: where pixels are kept; auto: on the disk where memory would be short.
    """

    def __init__(
        self,
        skip_damaged: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
        say: Callable[[str], None] = lambda line: None,
        storage: Storage = "auto",
        resample: Resample = "bilinear",
    ) -> None:
        self.skip_damaged, self.progress, self.say = skip_damaged, progress, say
        self.storage, self.resample = storage, resample
        self.unusable: dict[str, str] = {}
        """By path why a file could not be used."""
        self.hidden = set[str]()
        """Files and folders that are the system's, and no part of the images."""

    def check(self) -> None:
        """UserError that names what could not be used, unless that is to be left out."""
        if self.unusable and not self.skip_damaged:
            told = "; ".join(listed(self.unusable))
            if len(self.unusable) == 1:
                raise UserError(f"{told} (or leave it out: --skip-damaged)")
            raise UserError(f"{len(self.unusable)} files cannot be used (--skip-damaged leaves them out): {told}")


def listed(unusable: dict[str, str]) -> list[str]:
    """The first few with their causes, then how many more there are."""
    lines = [f"{printable(path)}: {why}" for path, why in sorted(unusable.items())]
    return [*lines[:LISTED], *([f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else [])]


def printable(path: str) -> str:
    """A path as it can be printed anywhere: what is no letter, digit or sign is written as an escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in path
    )


@dataclass(frozen=True)
class Read:
    """What a file came to: pixels, or why there are none; the words of the library's warnings.

    `content` is the SHA-256 of the file, empty where it changed meanwhile; `stamp` is None where it may change unseen.
    """

    pixels: Pixels | None
    why: str = ""
    words: Sequence[str] = ()
    content: bytes = b""
    stamp: str | None = None


def read_files(paths: Sequence[str], size: int, reading: Reading) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The images of the files that can be used, [n, 3, size, size] in their order; and for each path whether it can.

    Equal files give equal pixels, however many threads there are and whatever was kept of them before.
    """
    pixels = np.empty((len(paths), 3, size, size), np.uint8)
    usable = np.zeros(len(paths), np.bool_)
    done = 0
    with closing(Cache(size, reading.say, reading.resample)) as cache:
        for number, read in enumerate(read_each(paths, size, cache, reading)):
            if read.pixels is not None:
                pixels[done], usable[number] = read.pixels, True
                done += 1
    return pixels[:done], usable


def read_each(paths: Sequence[str], size: int, known: Known, reading: Reading) -> Iterator[Read]:
    """What the files come to, in their order; `reading` is told what cannot be used."""
    done, warned, show = 0, dict[str, str](), unhurried(reading.progress)
    with warnings_caught(), threads() as pool:
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            for path, read in zip(chunk, read_chunk(chunk, size, known, pool, reading.resample), strict=True):
                if read.pixels is None:
                    reading.unusable[path] = read.why
                elif read.words:
                    warned[path] = read.words[0]
                yield read
            done += len(chunk)
            show(done, len(paths))
    for line in listed(warned):
        reading.say(f"{line} (said by Pillow; the image is used)")


def read_chunk(
    paths: Sequence[str], size: int, cache: Known, pool: ThreadPoolExecutor, resample: Resample = "bilinear"
) -> list[Read]:
    """What is known is looked up; the rest is decoded, each file in a thread."""
    known = [known_file(path, cache) for path in paths]
    new = [path for path, pixels in zip(paths, known, strict=True) if pixels is None]
    found = dict(zip(new, pool.map(partial(read_file, size=size, cache=cache, resample=resample), new), strict=True))
    for path, read in found.items():
        if read.pixels is not None and read.content:
            cache.keep(os.fsencode(path), read.stamp, read.content, read.pixels)
    return [found[path] if pixels is None else Read(pixels) for path, pixels in zip(paths, known, strict=True)]


def known_file(path: str, cache: Known) -> Pixels | None:
    """Its pixels without opening it, if it has not changed since they were kept."""
    try:
        return cache.of_file(os.fsencode(path), stamp_of(os.stat(path)))
    except OSError:
        return None  # told when it is opened


def read_file(path: str, size: int, cache: Known, resample: Resample = "bilinear") -> Read:
    """Decodes a file, or looks up its content."""
    with caught() as words:
        try:
            with open(path, "rb") as file:
                before = os.fstat(file.fileno())
                content = digest_of(file)
                file.seek(0)
                kept = cache.of_content(content)
                pixels = decode(file, path, size, resample) if kept is None else kept
                stamp, after = stamp_of(before), stamp_of(os.fstat(file.fileno()))
            if stamp != after:
                return Read(pixels, words=tuple(words))
            settled = time.time() - max(before.st_mtime, before.st_ctime) > SETTLED  # else another change may leave the
            return Read(pixels, "", tuple(words), content, stamp if settled else None)  # stamp: clocks may be coarse
        except Unusable as error:
            return Read(None, str(error))
        except OSError as error:
            return Read(None, f"cannot be read ({cause(error)})")


def digest_of(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.digest()


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """One for each core; what they have not begun is dropped where this is left early, as by Ctrl-C."""
    pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def unhurried(progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """The same, but silent until some time has gone by since the last call, or since now."""
    told = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= QUIET:
            told = time.monotonic()
            progress(done, total)

    return show
