"""What happened in a run, one JSON object a line, without times: the same seed gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import IO, Any

from pydantic import ConfigDict, Field

from cleave.errors import UserError
from cleave.run.durable import fsync_folder, saving
from cleave.run.mirror import brought, sent
from cleave.run.reading import Damaged, Shape, is_there, open_plain, parse_json, read_file

EVENTS = "events.jsonl"
"""Their file in the folder of a run or a task."""


class Mark(Shape):
    """A place in a file of events: how many bytes are before it, and their SHA-256."""

    model_config = ConfigDict(frozen=True)

    length: int = Field(ge=0)
    sha256: str

    @staticmethod
    def after(data: bytes) -> Mark:
        return Mark(length=len(data), sha256=hashlib.sha256(data).hexdigest())


START = Mark.after(b"")


class Events:
    """The growing file of a run's events; a checkpoint keeps the `position` to go back to on resume."""

    def __init__(self, path: Path) -> None:
        """Open the file at its end, or make it; raises UserError where it cannot be written."""
        self.path = path
        with saving(path), open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW):
            fsync_folder(path.parent)
        self._follow(read_file(path))

    def _follow(self, data: bytes) -> None:
        """Takes these bytes for all that the file holds."""
        self._length, self._digest = len(data), hashlib.sha256(data)

    def write(self, kind: str, **fields: object) -> None:
        """Add one line {"kind": kind, **fields}.

        Raises ValueError for a number that is not finite, UserError for a full disk; then nothing is added.
        """
        self._add((json.dumps({"kind": kind, **fields}, allow_nan=False) + "\n").encode())

    def append(self, other: Path, mark: Mark) -> None:
        """Add all lines of another file of events up to a mark; raises as `write` and `checked` do."""
        self._add(checked(other, mark))

    def _add(self, lines: bytes) -> None:
        with saving(self.path):
            file = self._opened()
            try:
                with file:
                    file.write(lines)
            except OSError:
                self._cut(self._length)  # a full disk may have taken half of it
                raise
        self._length += len(lines)
        self._digest.update(lines)

    def _opened(self) -> IO[bytes]:
        """The file at its end; UserError where it is no longer as it was left."""
        try:
            file = open_plain(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            raise UserError(
                f"{self.path}: was removed while the run was at work; put it back, then `cleave resume`"
            ) from error
        size = os.fstat(file.fileno()).st_size
        if size != self._length:
            file.close()
            raise UserError(
                f"{self.path}: has {size} bytes where {self._length} were written: something else wrote there while "
                "the run was at work; `cleave resume` goes on from its last checkpoint"
            )
        return file

    @property
    def position(self) -> Mark:
        """What was written so far, all of it on the disk by then: a checkpoint may count on it."""
        with saving(self.path), self._opened() as file:
            os.fsync(file.fileno())
        sent(self.path)
        return Mark(length=self._length, sha256=self._digest.hexdigest())

    def go_back(self, mark: Mark) -> None:
        """Forget all after a mark; raises Damaged where the bytes before it are not those that were written."""
        data = checked(self.path, mark)
        with saving(self.path):
            self._cut(mark.length)
        self._follow(data)

    def _cut(self, length: int) -> None:
        with open_plain(self.path, os.O_WRONLY | os.O_NOFOLLOW) as file:
            os.ftruncate(file.fileno(), length)

    @staticmethod
    def read(path: Path) -> list[dict[str, Any]]:
        """All events of a file, oldest first; a last line that a kill left without its end did not happen.

        Raises UserError with the number of a line that is not a JSON object.
        """
        return parsed(path, read_file(path))


def checked(path: Path, mark: Mark) -> bytes:
    """The bytes before a mark; Damaged where they are not those that were written."""
    data = read_file(path)[: mark.length] if is_there(path) else b""
    if len(data) < mark.length:
        brought(path, anew=True)
        data = read_file(path)[: mark.length]
    if len(data) < mark.length:
        raise Damaged(
            f"{path}: has {len(data)} bytes where the checkpoint counts on {mark.length}: "
            "it was cut or replaced; put the file back or start the run again in a new folder"
        )
    if Mark.after(data) != mark:
        raise Damaged(
            f"{path}: its first {mark.length} bytes are not those that the checkpoint counts on: it was altered; "
            "put the file back or start the run again in a new folder"
        )
    return data


def parsed(path: Path, data: bytes) -> list[dict[str, Any]]:
    """The events that a file's bytes hold; see `Events.read`."""
    *lines, _unfinished = data.split(b"\n")
    return [_event(path, number, line) for number, line in enumerate(lines, start=1)]


def _event(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        event = parse_json(path, line)
    except Damaged:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("kind"), str):
        raise UserError(
            f"{path}: line {number} is not an event: the file was altered; remove the line to read the rest"
        )
    return event
