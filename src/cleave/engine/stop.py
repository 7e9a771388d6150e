"""How work is asked to stop, where what was done so far can be saved."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from types import FrameType, TracebackType

from cleave.errors import Interrupted
from cleave.signals import hearing


class Stop:
    """Asked wherever work could be saved. Any thread may set `requested`.

    Work that can be saved is done in a `with` block of it.
    """

    def __init__(self) -> None:
        self.requested = False

    def check(self) -> None:
        if self.requested:
            raise Interrupted

    @property
    def asked(self) -> bool:
        """Whether `check` would raise: some kinds hear elsewhere than in `requested`."""
        try:
            self.check()
        except Interrupted:
            return True
        return False

    def __enter__(self) -> Stop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to do, unless a kind of it says so."""


NEVER = Stop()
"""For work that is not to be stopped."""

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
