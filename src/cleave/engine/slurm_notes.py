"""What a run and its jobs tell each other, in files of a folder that both see. Nothing here loads torch."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from cleave.engine.told import News, news_of, note_of

BEAT, STOP = "beat", "stop"
BEAT_SECONDS = 10.0
"""Between two signs of life of a run."""
LISTEN_SECONDS = 2.0
"""At least so long between two looks of a job at it: hundreds of jobs may look at one disk."""
GONE_SECONDS = 600.0
"""Without a sign of life after which a run is gone: it was killed, or sleeps."""


def notes_of(folder: Path, number: int) -> Path:
    """The file of a job's notes."""
    return folder / f"{number}.jsonl"


class Beat:
    """A run's sign of life, a number that grows, or its word to stop. Clocks of two machines are never compared."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.count, self.told_at = 0, float("-inf")

    def tell(self) -> None:
        """Where it is time for another one."""
        if time.monotonic() - self.told_at >= BEAT_SECONDS:
            self.count, self.told_at = self.count + 1, time.monotonic()
            self.file.write_text(str(self.count), encoding="ascii")

    def ask_to_stop(self) -> None:
        """From now on jobs end as soon as they have saved what they are at."""
        self.told_at = float("inf")
        with suppress(FileNotFoundError):  # with the folder, which says the same
            self.file.write_text(STOP, encoding="ascii")


class Heard:
    """The other end: a job that looks whether its run is there and wants it to go on."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.last, self.heard_at, self.looked_at = "", time.monotonic(), float("-inf")

    @property
    def to_stop(self) -> bool:
        if time.monotonic() - self.looked_at >= LISTEN_SECONDS:
            self._look()
        return self.last == STOP or time.monotonic() - self.heard_at > GONE_SECONDS

    def _look(self) -> None:
        self.looked_at = time.monotonic()
        try:
            now = self.file.read_text(encoding="ascii")
        except OSError:  # a disk may be back in a moment; a folder that is not there says that the run is over
            now = self.last if self.file.parent.is_dir() else STOP
        if now != self.last:
            self.last, self.heard_at = now, time.monotonic()


class Notes:
    """What a job tells of its task while it works: one line of JSON each, whichever of its lives wrote them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.position = 0
        """Up to where they were read."""

    def write(self, told: News) -> None:
        """Adds one; what a life before this one did not end is no line."""
        line = f"\n{json.dumps(note_of(told))}\n"
        with suppress(OSError), self.file.open("a", encoding="utf-8") as file:  # a full disk is told by what is saved
            file.write(line)

    def read(self) -> list[News]:
        """Those that are new."""
        if not self.file.exists():
            return []
        with self.file.open("rb") as file:
            file.seek(self.position)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self.position += len(whole)
        return [told for line in whole.splitlines() if line and (told := told_in(line)) is not None]


def told_in(line: bytes) -> News | None:
    """What a line tells; None for one that was cut off."""
    try:
        return news_of(json.loads(line))
    except ValueError:
        return None
