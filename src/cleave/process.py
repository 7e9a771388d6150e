"""A command as a process: what it exits with, whatever becomes of its signals and streams."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from cleave.signals import INTERRUPTED, end_on_signals, hearing, interrupting
from cleave.streams import OutputStream, Unwritten, prepare

DONE, WRONG = 0, 2
MOST = 5_000
"""Letters of a message; those of our own are far shorter, but typer repeats what it was given."""
CLOSED = 141
"""As of other programs that nobody listens to any more, as in front of `| head`: 128 + SIGPIPE."""


def run_process(program: str, command: Callable[[list[str]], int]) -> NoReturn:
    """Ends this process with what the command makes of its arguments."""
    end_on_signals(program)
    out, err = prepare()
    status = completed(program, command, out)
    tell_loss(program, err)
    for stream in (out, err):
        if stream is not None:
            stream.release()
    leave(status)


def leave(status: int) -> NoReturn:
    """Ends this process.

    One of several that torchrun started ends at once: while the interpreter was taken down, gloo's threads (torch 2.14)
    once aborted one that had finished, for which torchrun would end them all.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        sys.exit(status)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(status)


def completed(program: str, command: Callable[[list[str]], int], out: OutputStream | None) -> int:
    """The command's status once all that it printed is written."""
    try:
        with hearing(interrupting(program)):
            status = command(sys.argv[1:])
            if out is not None:
                out.flush()
        return status
    except Unwritten as error:
        return CLOSED if error.closed else complain(program, f"standard output: {error}", WRONG)
    except KeyboardInterrupt:
        return complain(program, "interrupted", INTERRUPTED)


def tell_loss(program: str, err: OutputStream | None) -> None:
    """Says what became of standard error: there if it works again, else on standard output, which may be JSON only."""
    if err is None or err.lost is None:
        return
    message = f"progress was not shown: {err.lost}"
    err.lost = None  # so that the next failure is a new one
    complain(program, message, DONE)
    if err.lost is not None and "--json" not in sys.argv:
        with suppress(Unwritten):
            print(f"{program}: {message}", flush=True)


def complain(program: str, message: str, status: int) -> int:
    """One line on stderr, but none for an empty message; returns the status."""
    if message:
        print(f"{program}: {' '.join(message.split())[:MOST]}", file=sys.stderr, flush=True)
    return status
