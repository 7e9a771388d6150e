"""What running work tells those who look on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from cleave.engine.stop import NEVER, Stop
from cleave.errors import Interrupted

Told = TypeVar("Told")


@dataclass(frozen=True)
class Progress:
    """A sign of life. `done` and `total` are passes over a mini-batch, of the whole search.

    `means` gives loss and accuracy (percent) of the epoch so far. It is only asked when somebody looks: on a GPU the
    answer has to be waited for.
    """

    done: int
    total: int
    leaf: str
    doing: str
    means: Callable[[], tuple[float, float]] | None = None
    kind: str = "leaf"
    """What `leaf` names, for people."""


@runtime_checkable
class CallbackLike(Protocol):
    """What looks on. Raising `Interrupted` asks to stop: what is under way is saved first."""

    def see(self, progress: Progress) -> None: ...
    def say(self, line: str) -> None: ...


@runtime_checkable
class RunCallback(Protocol):
    """What also follows whole runs, one after the other: see `Callback`."""

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None: ...
    def end_run(self) -> None: ...


class Callback:
    """Looks on. This one says nothing."""

    stop: Stop = NEVER
    """How the work that it looks on is asked to stop."""

    def see(self, progress: Progress) -> None:
        """Called after every step."""

    def say(self, line: str) -> None:
        """Called with something a person should know."""

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None:
        """Called before the first step, when there is a folder of the run. `settings`: its recipe, as JSON has it."""

    def end_run(self) -> None:
        """Called when nothing more is to come of that run, however it ended."""


class Callbacks(Callback):
    """Several who look on, as one. An Interrupted that one of them raises sets `stop`."""

    def __init__(self, callbacks: Iterable[CallbackLike], stop: Stop | None = None) -> None:
        self.callbacks, self.stop = tuple(callbacks), stop or Stop()

    def see(self, progress: Progress) -> None:
        for each in self.callbacks:
            self._heard(each.see, progress)

    def say(self, line: str) -> None:
        for each in self.callbacks:
            self._heard(each.say, line)

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None:
        for each in self._following:
            each.begin_run(run, settings)

    def end_run(self) -> None:
        for each in self._following:
            each.end_run()

    @property
    def _following(self) -> list[RunCallback]:
        """Those of them that follow whole runs; an object of a user's need not."""
        return [each for each in self.callbacks if isinstance(each, RunCallback)]

    def _heard(self, told: Callable[[Told], None], what: Told) -> None:
        try:
            told(what)
        except Interrupted:
            self.stop.requested = True


@contextmanager
def following(callback: Callback, run: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """Meanwhile a run is at work in its folder, before a callback's eyes."""
    callback.begin_run(run, settings)
    try:
        yield
    finally:
        callback.end_run()
