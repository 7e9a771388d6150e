"""What lies where in a map of images, by file and by content; for whoever holds the map's lock."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np

from cleave.data.decode import Pixels
from cleave.data.pixel_map import DIGEST, PIXELS, digest_of

RECORDS = "records"
RECORD = struct.Struct(4 * f"{DIGEST}s")
"""The file beside the rows: for each row digests of its image's file (path and stamp), of that file's content, of the
pixels, and of this record with its number, without which it counts for nothing."""
NOBODY = bytes(DIGEST)
"""In the place of a file that may change unseen."""


class MapIndex:
    """The files of a map. A row is written before its record, and both are whole or count for nothing.

    A row is never given to another content, so that whoever reads it meanwhile sees what was there.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.size, self.length = size, 3 * size * size
        self.pixels, self.records = (
            os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o666) for name in (PIXELS, RECORDS)
        )
        self.by_file, self.by_content = dict[bytes, int](), dict[bytes, int]()
        self.digests = dict[int, bytes]()
        self.rows = dict[bytes, int]()
        """By path, of what was found or kept."""
        self.count = self._load()

    def _load(self) -> int:
        """How many rows there are; what was begun after them is written over."""
        data = os.pread(self.records, os.fstat(self.records).st_size, 0)
        count = min(len(data) // RECORD.size, os.fstat(self.pixels).st_size // self.length)
        for row, (*fields, seal) in enumerate(RECORD.iter_unpack(data[: count * RECORD.size])):
            if seal == sealed(row, *fields):
                self._note(row, *fields)
        return count

    def _note(self, row: int, file: bytes, content: bytes, pixels: bytes) -> None:
        self.by_content[content], self.digests[row] = row, pixels
        if file != NOBODY:
            self.by_file[file] = row

    def find(self, path: bytes, stamp: str, suspect: bool) -> bool:
        """Whether a file's image is there and the file has not changed since; `suspect`: and it is not damaged."""
        row = self.by_file.get(file_key(path, stamp))
        if row is None or (suspect and self._read(row) is None):
            return False
        self.rows[path] = row
        return True

    def of_file(self, path: bytes, stamp: str) -> None:
        """Asked for what was not found before."""

    def of_content(self, content: bytes) -> Pixels | None:
        """What was decoded of a file with that SHA-256."""
        row = self.by_content.get(content[:DIGEST])
        return None if row is None else self._read(row)

    def keep(self, path: bytes, stamp: str | None, content: bytes, pixels: Pixels) -> None:
        """Keeps both in the row of that content, or a new one; without a stamp the file will have to be read again."""
        content, data = content[:DIGEST], pixels.tobytes()
        row = self.by_content.get(content, self.count)
        file, digest = NOBODY if stamp is None else file_key(path, stamp), digest_of(data)
        write(self.pixels, data, row * self.length)
        fields = (file, content, digest)
        write(self.records, RECORD.pack(*fields, sealed(row, *fields)), row * RECORD.size)
        self._note(row, *fields)
        self.rows[path] = row
        self.count = max(self.count, row + 1)

    def close(self) -> None:
        """Waits until all of it is on the disk."""
        for descriptor in (self.pixels, self.records):
            os.fsync(descriptor)
            os.close(descriptor)

    def _read(self, row: int) -> Pixels | None:
        """None where it is damaged, or on a part of the disk that is."""
        data = b""
        with suppress(OSError):
            data = os.pread(self.pixels, self.length, row * self.length)
        if digest_of(data) != self.digests[row]:
            return None
        return np.frombuffer(data, np.uint8).reshape(3, self.size, self.size)


def file_key(path: bytes, stamp: str) -> bytes:
    return digest_of(path + b"\0" + stamp.encode())


def sealed(row: int, *fields: bytes) -> bytes:
    return digest_of(row.to_bytes(8, "little") + b"".join(fields))


def write(descriptor: int, data: bytes, place: int) -> None:
    """All of it; OSError where the disk does not take it."""
    view = memoryview(data)
    while view:
        taken = os.pwrite(descriptor, view, place)
        view, place = view[taken:], place + taken
