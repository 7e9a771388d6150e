"""What a worker tells of itself and of its tasks. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from cleave.engine.progress import Callback, Progress
from cleave.errors import Interrupted, UserError

FoundType = TypeVar("FoundType")


@dataclass(frozen=True)
class Ready:
    """Everything is loaded: from now on it can do tasks."""


@dataclass(frozen=True)
class Lost:
    """The worker is no more, and nobody knows what its task came to. `reason`: how it ended."""

    reason: str


@dataclass(frozen=True)
class Done(Generic[FoundType]):
    """What was found out in a task."""

    what: FoundType


@dataclass(frozen=True)
class RunBegun:
    """A run within the run is under way in a folder of its own. `settings`: its recipe, as JSON has it."""

    run: Path
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class RunEnded:
    """Nothing more is to come of it."""


News: TypeAlias = Progress | str | RunBegun | RunEnded
"""What is told of a task while it is done."""
Answer: TypeAlias = Done[FoundType] | Interrupted | UserError
"""What a task comes to."""
Told: TypeAlias = News | Ready | Lost | Answer[FoundType]


def note_of(told: News) -> dict[str, Any]:
    """What is told, as JSON has it."""
    if isinstance(told, str):
        return {"say": told}
    if isinstance(told, RunBegun):
        return {"begin": str(told.run), "settings": told.settings}
    if isinstance(told, RunEnded):
        return {"end": True}
    means = None if told.means is None else told.means()
    return asdict(replace(told, means=None)) | {"means": means}


def news_of(note: Mapping[str, Any]) -> News | None:
    """What a note tells; None where it is of another kind."""
    if "say" in note:
        return str(note["say"])
    if "begin" in note:
        return RunBegun(Path(note["begin"]), note["settings"])
    if "end" in note:
        return RunEnded()
    if "done" not in note:
        return None
    means = note["means"]
    return Progress(**{**note, "means": None if means is None else partial(tuple, means)})


def pass_on(news: News, callback: Callback) -> None:
    """Has a callback hear what was told elsewhere."""
    if isinstance(news, str):
        callback.say(news)
    elif isinstance(news, RunBegun):
        callback.begin_run(news.run, news.settings)
    elif isinstance(news, RunEnded):
        callback.end_run()
    else:
        callback.see(news)


class OneRun(Callback):
    """Hears of the runs within a run that is done elsewhere, and passes all on.

    Each is ended: who told of it may be lost, and somebody else tells of it again. One that is not to be seen from here
    is not followed.
    """

    def __init__(self, callback: Callback) -> None:
        self.callback, self.stop, self.under_way = callback, callback.stop, False

    def __enter__(self) -> OneRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_run()

    def see(self, progress: Progress) -> None:
        self.callback.see(progress)

    def say(self, line: str) -> None:
        self.callback.say(line)

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None:
        self.end_run()
        if run.is_dir():
            self.callback.begin_run(run, settings)
            self.under_way = True

    def end_run(self) -> None:
        if self.under_way:
            self.under_way = False
            self.callback.end_run()
