"""Being asked to stop: by Ctrl-C, by SIGTERM, by a terminal that is closed, by SLURM's warning.

Imports nothing that takes time: signals have to be heard while the rest is loaded.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

Handler = Callable[[int, "FrameType | None"], object]

ASKING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]
"""The signals that ask to stop; Windows lacks the last two."""

INTERRUPTED = 130
"""The exit status, whichever of them it was."""

SHOW_CURSOR = "\r\x1b[?25h"
"""A progress bar hides it."""


def heard() -> list[signal.Signals]:
    """Those that are heard here: `nohup` has a process ignore the end of its terminal."""
    return [
        number
        for number in ASKING
        if (before := signal.getsignal(number)) is not None  # None: set by another language's code
        and (number.name != "SIGHUP" or before is not signal.SIG_IGN)
    ]


@contextmanager
def hearing(handler: Handler) -> Iterator[Callable[[], None]]:
    """Has a handler hear them meanwhile; main thread only. Gives what puts the handlers from before back earlier."""
    before = {number: signal.getsignal(number) for number in heard()}

    def restore() -> None:
        for number, each in before.items():
            signal.signal(number, each)

    try:
        for number in before:
            signal.signal(number, handler)
        yield restore
    finally:
        restore()


def end_on_signals(program: str) -> None:
    """From now on each of them ends the process at once, with a line that says so."""

    def end(number: int, frame: FrameType | None) -> None:
        end_at_once(program)

    for number in heard():
        signal.signal(number, end)


def interrupting(program: str) -> Handler:
    """A handler that raises KeyboardInterrupt, so that what is open is closed.

    It ends the process at once where the exception could get lost: in an import, where code in C may make another
    error of it or forget it, and where one is on its way already.
    """
    raised = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal raised
        if raised or importing(frame):
            end_at_once(program)
        raised = True
        raise KeyboardInterrupt

    return interrupt


def importing(frame: FrameType | None) -> bool:
    """Whether a frame is at work for an import."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def end_at_once(program: str) -> NoReturn:
    """Without any more Python: half of it may not be loaded. Other processes of ours end with this one."""
    with suppress(OSError):
        os.write(2, f"{SHOW_CURSOR if os.isatty(2) else ''}{program}: interrupted\n".encode())
    os._exit(INTERRUPTED)
