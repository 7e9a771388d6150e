"""What a running search tells whoever watches it, and how it is asked to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from cleave.errors import Interrupted
from cleave.signals import hearing


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


PATIENCE = 1.0
"""Seconds in which a second SIGTERM is the same request: `timeout` sends it to a process and then to its group."""


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A Stop that the signals of `cleave.signals` set.

    A second Ctrl-C or SIGTERM does what it would have done at first; the others only ask, and a closed terminal asks
    twice. Outside the main thread, which alone hears signals, nothing sets it.
    """
    stop, asked_at = Stop(), 0.0

    def request(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        now = time.monotonic()
        if not stop.requested:
            stop.requested, asked_at = True, now
        elif number == signal.SIGINT or (number == signal.SIGTERM and now - asked_at > PATIENCE):
            restore()
            signal.raise_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    with hearing(request) as restore:
        yield stop
