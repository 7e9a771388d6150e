"""What a running search tells whoever watches it, and how it is asked to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from cleave.errors import Interrupted


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


class Watcher:
    """Looks on. This one says nothing."""

    def see(self, moment: Moment) -> None:
        """Called after every step."""

    def say(self, line: str) -> None:
        """Called with something a person should know."""


class Stop:
    """Set by a signal, asked by the search wherever it could be saved."""

    def __init__(self) -> None:
        self.requested = False

    def check(self) -> None:
        if self.requested:
            raise Interrupted


NEVER = Stop()
"""For work that is not to be stopped."""


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A Stop that Ctrl-C and SIGTERM set; a second signal ends the process at once, as it would have at first."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, frame: FrameType | None) -> None:
        stop.requested = True
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        restore()
