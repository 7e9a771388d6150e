"""What a running search tells those who watch it, and how it is asked to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Protocol, TypeVar, runtime_checkable

from cleave.errors import Interrupted
from cleave.signals import hearing

Told = TypeVar("Told")


@dataclass(frozen=True)
class Moment:
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


class Stop:
    """Asked wherever work could be saved. Any thread may set `requested`.

    Work that can be saved is done in a `with` block of it.
    """

    def __init__(self) -> None:
        self.requested = False

    def check(self) -> None:
        if self.requested:
            raise Interrupted

    def __enter__(self) -> Stop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to do, unless a kind of it says so."""


NEVER = Stop()
"""For work that is not to be stopped."""


@runtime_checkable
class Callback(Protocol):
    """What looks on. Raising `Interrupted` asks to stop: what is under way is saved first."""

    def see(self, moment: Moment) -> None: ...
    def say(self, line: str) -> None: ...


class Watcher:
    """Looks on. This one says nothing."""

    stop: Stop = NEVER
    """How the work that it looks on is asked to stop."""

    def see(self, moment: Moment) -> None:
        """Called after every step."""

    def say(self, line: str) -> None:
        """Called with something a person should know."""


class Callbacks(Watcher):
    """Several who look on, as one. An Interrupted that one of them raises sets `stop`."""

    def __init__(self, callbacks: Iterable[Callback], stop: Stop | None = None) -> None:
        self.callbacks, self.stop = tuple(callbacks), stop or Stop()

    def see(self, moment: Moment) -> None:
        for each in self.callbacks:
            self._heard(each.see, moment)

    def say(self, line: str) -> None:
        for each in self.callbacks:
            self._heard(each.say, line)

    def _heard(self, told: Callable[[Told], None], what: Told) -> None:
        try:
            told(what)
        except Interrupted:
            self.stop.requested = True


PATIENCE = 1.0
"""Seconds in which a second SIGTERM is the same request: `timeout` sends it to a process and then to its group."""


class SignalStop(Stop):
    """A Stop for the command line: in its `with` block the signals of `cleave.signals` set it.

    A second Ctrl-C or SIGTERM does what it would have done at first; the others only ask, and a closed terminal asks
    twice. Outside the main thread, which alone hears signals, nothing sets it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked_at = 0.0
        self.undo = ExitStack()

    def __enter__(self) -> SignalStop:
        if threading.current_thread() is threading.main_thread():
            self.undo.enter_context(hearing(self._request))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo.close()

    def _request(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested, self.asked_at = True, now
        elif number == signal.SIGINT or (number == signal.SIGTERM and now - self.asked_at > PATIENCE):
            self.undo.close()
            signal.raise_signal(number)
