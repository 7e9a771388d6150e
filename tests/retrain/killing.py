"""A training that is killed at some step, and all that one leaves."""

from __future__ import annotations

from pathlib import Path

import cleave
from cleave.engine.progress import Progress


class Killed(Exception):
    """The process is gone."""


class Killer(cleave.Callback):
    """Kills a training when so many steps are done; before that it only asks it to stop, every second time."""

    def __init__(self, done: int) -> None:
        self.done = done

    def see(self, progress: Progress) -> None:
        if progress.kind == "" and progress.done >= self.done and progress.doing.startswith("train"):
            if self.done % 2:
                raise cleave.Interrupted
            raise Killed


def outcome(run: Path) -> dict[str, bytes]:
    """All that a training leaves but times."""
    names = [
        "result.json",
        "events.jsonl",
        *(f"leaves/network/{name}" for name in ("weights.safetensors", "meta.json")),
    ]
    return {name: (run / name).read_bytes() for name in names}
