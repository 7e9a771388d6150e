"""The folders of the tasks of a search that are under way, or finished and not yet merged into the run."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cleave.run.durable import clear_unfinished, remove_folder, saving
from cleave.run.events import EVENTS, Events
from cleave.run.generations import Generations
from cleave.run.lock import RunLock
from cleave.run.mirror import brought
from cleave.run.reading import Damaged, Shape, is_there, names_in, shaped

PARTS = "parts"
PATIENCE = 10.0
"""Seconds in which a worker process whose search was killed is sure to have ended."""


class Last(Shape):
    """An event as it is shown."""

    leaf: str


class LastEpoch(Last):
    phase: str
    epoch: int


SHAPES = {"epoch": LastEpoch}
"""By kind of event, where more of it is shown."""


class TaskFolder:
    """A task's checkpoints and events. Use within its lock."""

    def __init__(self, run: Path, identity: str, label: str) -> None:
        """`identity`: of the run's origin."""
        self.path, self.label = path_of(run, label), label
        brought(self.path)
        self.events = Events(self.path / EVENTS)
        self.generations = Generations(self.path / "checkpoints", {"run": identity, "part": label})


def path_of(run: Path, label: str) -> Path:
    return run / PARTS / label


def task_lock(run: Path, label: str) -> RunLock:
    """The lock of a task's folder, which is made where there is none."""
    path = path_of(run, label)
    with saving(path):
        path.mkdir(parents=True, exist_ok=True)
    return RunLock(path, PATIENCE)


def remove_tasks(run: Path, labels: Collection[str]) -> None:
    """Removes the folders of tasks that are merged; others may be at work in theirs."""
    folder = run / PARTS
    if not is_there(folder):
        return
    with saving(folder):
        clear_unfinished(folder)
        for label in labels:
            if is_there(path_of(run, label)):
                remove_folder(path_of(run, label))


def remove_last_tasks(run: Path, labels: Collection[str]) -> None:
    """The same when nobody is at work any more, and the folder of them all, which is then empty."""
    remove_tasks(run, labels)
    folder = run / PARTS
    if is_there(folder) and not names_in(folder):
        with saving(folder):
            folder.rmdir()


def last_events(run: Path) -> dict[str, dict[str, Any] | None]:
    """The last event of each task that has a folder, None before its first; nothing is touched."""
    labels = names_in(run / PARTS)
    return {label: last_event(path_of(run, label) / EVENTS) for label in labels if not label.startswith(".")}


def last_event(path: Path) -> dict[str, Any] | None:
    """The last event of a file; None where there is no file, or no longer one, or no event."""
    try:
        events = Events.read(path)
    except Damaged:
        if is_there(path):
            raise
        return None
    return shaped(path, SHAPES.get(events[-1]["kind"], Last), events[-1]) if events else None
