"""What happened in a run, one JSON object a line, without times: the same seed gives the same bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.run.durable import fsync_folder, saving


class Events:
    """The growing file of a run's events; a checkpoint keeps the `position` to go back to on resume."""

    def __init__(self, path: Path) -> None:
        """Open the file at its end, or make it; raises UserError where it cannot be written."""
        self.path = path
        with saving(path):
            path.touch()
            fsync_folder(path.parent)
            self._length = path.stat().st_size

    def write(self, kind: str, **fields: object) -> None:
        """Add one line {"kind": kind, **fields}.

        Raises ValueError for a number that is not finite, UserError for a full disk; then nothing is added.
        """
        self._add((json.dumps({"kind": kind, **fields}, allow_nan=False) + "\n").encode())

    def append(self, other: Path) -> None:
        """Add all lines of another file of events; raises UserError for a full disk, and then adds nothing."""
        with saving(self.path):
            lines = other.read_bytes()
        self._add(lines)

    def _add(self, lines: bytes) -> None:
        with saving(self.path):
            try:
                with self.path.open("ab") as file:
                    file.write(lines)
                self._length += len(lines)
            finally:
                os.truncate(self.path, self._length)  # a full disk may have taken half of it

    @property
    def position(self) -> int:
        """The bytes written so far, all of them on the disk by then: a checkpoint may count on them."""
        with saving(self.path), self.path.open("rb") as file:
            os.fsync(file.fileno())
        return self._length

    def truncate(self, position: int) -> None:
        """Forget all after `position`, in bytes; raises UserError where the file does not reach that far."""
        if self._length < position:
            raise UserError(
                f"{self.path}: has {self._length} bytes where the checkpoint counts on {position}: "
                "it was cut or replaced; put the file back or start the run again in a new folder"
            )
        with saving(self.path):
            os.truncate(self.path, position)
            self._length = position

    @staticmethod
    def read(path: Path) -> list[dict[str, Any]]:
        """All events of a file, oldest first; a last line that a kill left without its end did not happen.

        Raises UserError with the number of a line that is not a JSON object.
        """
        try:
            *lines, _unfinished = path.read_bytes().split(b"\n")
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}; give the folder of a run") from error
        return [_event(path, number, line) for number, line in enumerate(lines, start=1)]


def _event(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise UserError(
            f"{path}: line {number} is not an event: the file was altered; remove the line to read the rest"
        )
    return event
