"""Somebody who looks on and remembers all of it."""

from __future__ import annotations

from cleave.search.watch import Moment, Watcher


class Recorder(Watcher):
    """Keeps the moments seen and the lines said."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.lines: list[str] = []

    def see(self, moment: Moment) -> None:
        self.moments.append(moment)

    def say(self, line: str) -> None:
        self.lines.append(line)
