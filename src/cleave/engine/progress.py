"""What running work tells those who look on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

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


class Callback:
    """Looks on. This one says nothing."""

    stop: Stop = NEVER
    """How the work that it looks on is asked to stop."""

    def see(self, progress: Progress) -> None:
        """Called after every step."""

    def say(self, line: str) -> None:
        """Called with something a person should know."""


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

    def _heard(self, told: Callable[[Told], None], what: Told) -> None:
        try:
            told(what)
        except Interrupted:
            self.stop.requested = True
