"""Decoded images, kept by the content of their files: a folder that was read before is not decoded again.

One SQLite file for each form of decoding, release of Pillow and size, in `cleave/images` of the user's cache folder.
It grows by 3 * size * size bytes for every new image, and may be deleted at any time. Nothing depends on it: where it
cannot be read or written, images are decoded.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL

from cleave.data.decode import FORM, Pixels, Resample, form
from cleave.errors import UserError, cause
from cleave.places import cache_folder

WAIT = 10.0  # seconds to wait for another process that writes
COMMIT = 2.0  # seconds of decoding at most that a kill loses
SCHEMA = """
CREATE TABLE IF NOT EXISTS images (content BLOB PRIMARY KEY, pixels BLOB, digest BLOB);
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, stamp BLOB, content BLOB, digest BLOB) WITHOUT ROWID;
"""
BY_FILE = "SELECT content, digest FROM files WHERE path = ? AND stamp = ?"
BY_CONTENT = "SELECT pixels, digest FROM images WHERE content = ?"

TROUBLE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the last: names in a damaged file
OF_SYSTEM = ("locked", "full", "readonly", "unable to open", "disk I/O")
Answer = TypeVar("Answer")


def cache_file(size: int, resample: Resample = "bilinear") -> Path:
    """Where images of that size are kept."""
    return cache_folder() / "images" / f"form{FORM}-pillow{PIL.__version__}-{form(size, resample)}.sqlite"


class Cache:
    """Pixels [3, size, size] by file and by content. Threads may share one; trouble ends it, with one line said."""

    def __init__(self, size: int, say: Callable[[str], None], resample: Resample = "bilinear") -> None:
        self.size, self.say = size, say
        self.lock = threading.Lock()
        self.committed = time.monotonic()
        self.file: Path | None = None
        self.connection: sqlite3.Connection | None = None
        try:
            self.file = cache_file(size, resample)
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.connection = connect(self.file)
        except (UserError, OSError, *TROUBLE) as error:
            self._end(error)

    def of_file(self, path: bytes, stamp: str) -> Pixels | None:
        """What was decoded of the file when it had that stamp; it need not be opened."""
        content = self._asked(lambda connection: self._read(connection, BY_FILE, path, stamp.encode()))
        return None if content is None else self.of_content(content)

    def of_content(self, content: bytes) -> Pixels | None:
        """What was decoded of a file with that SHA-256."""
        pixels = self._asked(lambda connection: self._read(connection, BY_CONTENT, content))
        return None if pixels is None else np.frombuffer(pixels, np.uint8).reshape(3, self.size, self.size)

    def keep(self, path: bytes, stamp: str | None, content: bytes, pixels: Pixels) -> None:
        """Keeps both; without a stamp the file will have to be read again."""
        self._asked(lambda connection: self._write(connection, path, stamp, content, pixels.tobytes()))

    def close(self) -> None:
        self._asked(sqlite3.Connection.commit)
        if self.connection is not None:
            self.connection.close()

    def _asked(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
        with self.lock:
            if self.connection is None:
                return None
            try:
                return question(self.connection)
            except TROUBLE as error:
                self._end(error)
                return None

    def _read(self, connection: sqlite3.Connection, query: str, *key: bytes) -> bytes | None:
        """What stands under the key, if it is what was kept under it: in a damaged file anything may stand anywhere."""
        row = connection.execute(query, key).fetchone()
        if row is None:
            return None
        found, digest = row
        return found if isinstance(found, bytes) and digest == digest_of(*key, found) else None

    def _write(
        self, connection: sqlite3.Connection, path: bytes, stamp: str | None, content: bytes, pixels: bytes
    ) -> None:
        image = (content, pixels)
        connection.execute("INSERT OR REPLACE INTO images VALUES (?, ?, ?)", (*image, digest_of(*image)))
        if stamp is not None:
            file = (path, stamp.encode(), content)
            connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (*file, digest_of(*file)))
        if time.monotonic() - self.committed >= COMMIT:
            connection.commit()
            self.committed = time.monotonic()

    def _end(self, error: Exception) -> None:
        """Images are decoded from here on; a file that is damaged goes, so that the next run makes it again."""
        if self.connection is not None:
            with suppress(sqlite3.Error):
                self.connection.close()
            self.connection = None
        if damaged(error) and self.file is not None:
            self.file.unlink(missing_ok=True)
        why = cause(error) if isinstance(error, OSError) else str(error)
        self.say(f"decoded images are not kept{f' in {self.file}' if self.file else ''}: {why}")


def connect(file: Path) -> sqlite3.Connection:
    """Opens the file, or makes it, anew where it is damaged."""
    try:
        return prepared(file)
    except TROUBLE as error:
        if not damaged(error):
            raise
        file.unlink()
        return prepared(file)


def prepared(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=WAIT, check_same_thread=False)
    try:
        connection.executescript(SCHEMA)
        connection.execute(BY_FILE, (b"", b"")).fetchone()  # another kind of table fails here
        return connection
    except TROUBLE:
        connection.close()
        raise


def damaged(error: Exception) -> bool:
    """Whether it is the file's fault, and not that of the disk, a permission or another process."""
    of_system = isinstance(error, sqlite3.OperationalError) and any(words in str(error) for words in OF_SYSTEM)
    return isinstance(error, TROUBLE) and not of_system


def digest_of(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def stamp_of(status: os.stat_result) -> str:
    """What changes when a file does, as far as the system tells without reading it."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
