"""Files that people give: read whole, pipes included, up to a limit; text in whichever encoding it begins with."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from json import detect_encoding
from pathlib import Path
from typing import BinaryIO

from cleave.errors import UserError, cause, shown

PIECE = 2**20
"""Bytes that are read at once."""


def readable(path: Path) -> BinaryIO:
    """A file or pipe opened for reading; UserError with the cause where that cannot be."""
    try:
        return open(path, "rb", opener=_open)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({cause(error)})") from error
    except ValueError as error:
        raise UserError(f"{shown(str(path))}: cannot be the name of a file ({error})") from error


def read_bytes(path: Path, limit: int) -> bytes:
    """All of a file or pipe, which are at most so many bytes; UserError with the cause where that cannot be."""
    try:
        with readable(path) as file:
            data = b"".join(pieces(file, limit + 1))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({cause(error)})") from error
    if len(data) > limit:
        raise UserError(f"{path}: is larger than {limit:,} bytes, the most that is read of such a file")
    return data


def pieces(file: BinaryIO, most: int) -> Iterator[bytes]:
    """What is in a file, up to so many bytes. Asked for at once, `most` would be set aside for a file of a few."""
    left = most
    while left and (piece := file.read(min(left, PIECE))):
        left -= len(piece)
        yield piece


def read_text(path: Path, limit: int) -> str:
    """The same as text: UTF-8, or UTF-16 or UTF-32 as its first bytes tell, never as the locale says.

    A byte order mark is no part of it. UserError names the line that is no text.
    """
    data = read_bytes(path, limit)
    encoding = detect_encoding(data)
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line, name = 1 + data.count(b"\n", 0, error.start), encoding.removesuffix("-sig").upper()
        byte = error.object[error.start]
        raise UserError(
            f"{path}: line {line} is not text (byte 0x{byte:02x} is not {name}); save it as UTF-8"
        ) from error


def first_bytes(path: Path, count: int) -> bytes:
    """What a file begins with; nothing for what is not there, cannot be read, or is a pipe, which is read only once."""
    if not os.path.isfile(path):
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError:
        return b""


def unpacked_size(file: BinaryIO) -> int:
    """The bytes that all members of a zip take once they are unpacked, as it says itself; 0 of a file that is none.

    No more than that is unpacked, so that a small file that would fill the memory is known.
    """
    try:
        with zipfile.ZipFile(file) as zipped:
            return sum(member.file_size for member in zipped.infolist())
    except (OSError, ValueError, RuntimeError, struct.error, zipfile.BadZipFile):
        return 0
    finally:
        file.seek(0)


def holds_text(path: Path) -> bool:
    """Whether there is a file or pipe, whatever the path: `Path.is_file` raises for names that no file can have."""
    return os.path.exists(path) and not os.path.isdir(path)


def refuse_pipe(what: str, path: Path) -> None:
    """UserError for a pipe where something is read again later; `what` is how it was given."""
    if holds_text(path) and not os.path.isfile(path):
        raise UserError(f"{what} {path}: is no plain file, but is read again later; give a file")


def check_free(file: Path) -> None:
    """UserError unless a file can be made there; nothing is overwritten."""
    if os.path.lexists(file):
        raise UserError(f"{file}: is there already and nothing is overwritten; give --out another file")
    if not os.path.isdir(file.parent):
        raise UserError(f"{file}: cannot be saved, there is no folder {file.parent}; give --out another file")


def _open(path: str, flags: int) -> int:
    """A pipe that nobody writes into is empty; without O_NONBLOCK its opening would never end."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor
