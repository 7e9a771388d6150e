"""Somebody who looks on and remembers all of it, and somebody who loses patience."""

from __future__ import annotations

from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop


class Recorder(Callback):
    """Keeps the moments seen and the lines said."""

    def __init__(self) -> None:
        self.moments: list[Progress] = []
        self.lines: list[str] = []

    def see(self, moment: Progress) -> None:
        self.moments.append(moment)

    def say(self, line: str) -> None:
        self.lines.append(line)


class Impatient(Stop):
    """Asks to stop when it was listened to more often than so many times."""

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience = patience

    def check(self) -> None:
        self.patience -= 1
        self.requested |= self.patience < 0
        super().check()
