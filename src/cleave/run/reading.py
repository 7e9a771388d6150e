"""The one way in which files of a run folder are read: whatever lies there, it is read or named in one line."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cleave.errors import UserError, cause, shown

Kind = TypeVar("Kind")
MOST_JSON = 2**28
"""Bytes; no JSON that cleave writes comes near."""

_LOST = (errno.ENOENT, errno.EIO, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
"""The answers of a file that is gone or is none; whatever else the system says, as of too many open files, may pass."""

_MODES = {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "r+b"}


class Damaged(UserError):
    """What is on the disk is not what was written; the message names the file and what is wrong with it."""


class Foreign(UserError):
    """What is on the disk is whole, but belongs to something else."""


class Shape(BaseModel):
    """What an object in a JSON file has to hold; it may hold more."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Timing(Shape):
    """timing.json, and whatever else tells how long something took."""

    seconds: float = Field(ge=0)


def read_json(path: Path, shape: type[Shape] = Shape) -> dict[str, Any]:
    """A JSON object of that shape; Damaged where it is none, UserError where the system refuses it."""
    return shaped(path, shape, parse_json(path, read_file(path, MOST_JSON)))


def read_file(path: Path, most: int | None = None) -> bytes:
    """The bytes of a plain file; Damaged where it is none or has more than `most` of them.

    UserError where the system refuses it for a reason that may pass.
    """
    with reading(path), open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise Damaged(f"{path}: its {size} bytes are more than cleave writes there")
        return file.read()


def open_plain(path: Path, flags: int = os.O_RDONLY) -> IO[bytes]:
    """Opens a file by the flags of `os.open`; OSError, also where it is no plain file: a pipe would wait for ever."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        code = errno.EISDIR if stat.S_ISDIR(kind) else errno.ENXIO
        raise OSError(code, os.strerror(code), str(path))
    return os.fdopen(descriptor, _MODES[flags & os.O_ACCMODE])


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns the OSError of a file or folder that cannot be read into one line about `path`; see `read_file`."""
    try:
        yield
    except OSError as error:
        kind = Damaged if error.errno in _LOST else UserError
        raise kind(f"{path}: cannot be read: {cause(error)}") from error


def names_in(folder: Path) -> list[str]:
    """What a folder holds, sorted; nothing where there is no folder. UserError where it cannot be read."""
    with reading(folder):
        return sorted(os.listdir(folder)) if is_there(folder) else []


def is_there(path: Path) -> bool:
    """Whether there is something of that name; UserError where the system does not tell."""
    with reading(path):
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


def parse_json(path: Path, data: bytes) -> object:
    """What a file's bytes say, all numbers of it finite; Damaged where that is no JSON."""
    try:
        return json.loads(data, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path}: is not JSON as cleave writes it; it was altered") from error


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def shaped(path: Path, shape: type[Shape], value: object) -> dict[str, Any]:
    """The same value, which is an object of that shape; else Damaged, with the place where it is not."""
    typed(path, TypeAdapter(shape), value)
    assert isinstance(value, dict)
    return value


def typed(path: Path, kind: TypeAdapter[Kind], value: object) -> Kind:
    """A value read from a file as what it stands for; Damaged, with the place, where it cannot stand for that."""
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        where = ".".join(map(str, mistake["loc"]))
        message, given = mistake["msg"], shown(mistake["input"])
        raise Damaged(
            f"{path}: {where + ': ' * bool(where)}{message[0].lower()}{message[1:]}, not {given}; it was altered"
        ) from error
