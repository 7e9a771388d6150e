"""Maps of images: made once for each folder and size, gone on with where a kill came, and one process at a time.

They lie beside the cache of decoded images and may be deleted whenever nothing reads them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import PIL
import torch
from numpy.typing import NDArray

from cleave.data.cache import stamp_of
from cleave.data.decode import FORM, Resample, form
from cleave.data.map_index import MapIndex
from cleave.data.pixel_map import DAMAGED, DIGEST, PIXELS, PixelMap
from cleave.data.reading import Reading, printable, read_each
from cleave.errors import UserError, cause, plain
from cleave.free_memory import free_bytes, size_text
from cleave.places import cache_folder

SHARE = 0.5
"""Of the free memory: images that would take more stay on the disk, unless something else is asked for."""
LOCK = "lock"


def on_disk(count: int, size: int, storage: str) -> bool:
    """Whether so many images are to stay on the disk."""
    free = free_bytes()
    return storage == "map" or (storage == "auto" and free is not None and count * 3 * size * size > SHARE * free)


def map_folder(root: str, size: int, resample: Resample = "bilinear") -> Path:
    """Where the images of a folder are kept at that size: the same place for the same path, form and release."""
    path = os.path.abspath(root)
    name = plain(os.path.basename(path))[:40] + "-" + hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    return cache_folder() / "images" / "maps" / f"{name}-form{FORM}-pillow{PIL.__version__}-{form(size, resample)}"


def build_map(root: str, paths: Sequence[str], size: int, reading: Reading) -> tuple[PixelMap, NDArray[np.bool_]]:
    """The images of the files that can be used, in their order, on the disk; and for each path whether it can.

    The files lie below `root`. Those that are in the map, and are as they were, are not opened. UserError where the
    disk has no room for the others.
    """
    folder = map_folder(root, size, reading.resample)
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, reading.say), closing(MapIndex(folder, size)) as index:
            missing = missing_from(index, paths, suspect=(folder / DAMAGED).exists())
            tell(folder, index, len(paths), len(missing), reading)
            fill(index, missing, reading)
            (folder / DAMAGED).unlink(missing_ok=True)
    rows = [index.rows.get(os.fsencode(path)) for path in paths]
    used = [row for row in rows if row is not None]
    digests = np.array(list(map(index.digests.__getitem__, used)), f"V{DIGEST}").view(np.uint8)
    places = torch.tensor(used, dtype=torch.int64)
    found = PixelMap(folder / PIXELS, size, places, torch.from_numpy(digests).view(-1, DIGEST))
    return found, np.array([row is not None for row in rows], np.bool_)


def missing_from(index: MapIndex, paths: Sequence[str], suspect: bool) -> list[str]:
    """The files whose image is not in the map; `suspect`: or is damaged there."""
    stamps = ((path, stamp_at(path)) for path in paths)
    return [path for path, stamp in stamps if stamp is None or not index.find(os.fsencode(path), stamp, suspect)]


def stamp_at(path: str) -> str | None:
    """None for what cannot be asked, which is told when it is opened."""
    try:
        return stamp_of(os.stat(path))
    except OSError:
        return None


def tell(folder: Path, index: MapIndex, count: int, missing: int, reading: Reading) -> None:
    """A line on what is kept where, and what is still to do; UserError where there is no room for that."""
    new = max(0, count - index.count)  # at least: files that were only touched have rows already
    free, size = shutil.disk_usage(folder).free, f"{count} images of {index.size} x {index.size} pixels"
    if new * index.length > free:
        raise UserError(
            f"{printable(str(folder))}: {new} of {size} have to be added, {size_text(new * index.length)}, and "
            f"{size_text(free)} are free: free some space, name a cache folder on a larger disk by XDG_CACHE_HOME, or "
            "lower data.image_size, data.limit or data.fraction"
        )
    rest = f"; {missing} of them have to be read first" if missing else ""
    reading.say(f"{size} stay on the disk, {size_text(count * index.length)} in {printable(str(folder))}{rest}")


def fill(index: MapIndex, paths: Sequence[str], reading: Reading) -> None:
    """Adds what can be used of the files."""
    for path, read in zip(paths, read_each(paths, index.size, index, reading), strict=True):
        if read.pixels is not None and not read.content:
            reading.unusable[path] = "changed while it was read: start again when nothing writes to it"


@contextmanager
def locked(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One process at a time, which ends with the process however that ends."""
    import fcntl  # not at the top: the other systems have none, and are told so where a run is begun

    with open(folder / LOCK, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that adds images to {printable(str(folder))}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turns the OSError of a full or forbidden disk into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{printable(str(folder))}: images cannot be kept there ({cause(error)}); what was added stays: free some "
            "space or allow writing and start again, or name another cache folder by XDG_CACHE_HOME"
        ) from error
