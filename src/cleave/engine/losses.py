"""Workers that are lost: now and then a machine goes, and somebody else does what was done there."""

from __future__ import annotations

from collections import Counter

from cleave.engine.progress import Callback
from cleave.engine.told import Lost
from cleave.errors import UserError

LOSSES = 3
"""So often a task may lose its worker."""


class Losses:
    """Counts them. `kind` names a worker to people; `advice` is what to do about too many."""

    def __init__(self, kind: str, advice: str, callback: Callback) -> None:
        self.kind, self.advice, self.callback = kind, advice, callback
        self.counts = Counter[str]()

    def add(self, label: str | None, lost: Lost) -> None:
        """Says that a worker is lost, which was at a task or had none; UserError for the third one there."""
        where = label or "its start"
        self.counts[where] += 1
        if self.counts[where] >= LOSSES:
            raise UserError(
                f"{self.kind} ended at {where} for the {LOSSES}rd time ({lost.reason}); what was saved is intact: "
                f"{self.advice}"
            )
        self.callback.say(f"{self.kind} ended at {where} ({lost.reason}); another one goes on with it")
