"""A worker process: does the tasks that it is sent through a pipe, one after the other, until there are no more.

It is told a task, or None to stop. It tells once that it is ready, then its progress, and lines, while it works, then
what it found, or why there is nothing: an Interrupted or a UserError.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from cleave.engine.job import Job, TaskType, performed
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.engine.told import Answer, Done, FoundType, News, Ready, RunBegun, RunEnded
from cleave.errors import Interrupted, UserError, refusal
from cleave.memory import keep_memory
from cleave.signals import ASKING

TELL_SECONDS = 0.1
"""At least so long between two signs of life."""


def serve(pipe: Connection, job: Job[TaskType, FoundType]) -> None:
    """The life of a worker, from when everything is loaded."""
    stop = stop_of_worker(pipe)
    prepare(job)
    with suppress(ConnectionError):  # the parent is gone
        pipe.send(Ready())
        while (task := pipe.recv()) is not None:
            teller = Teller(pipe.send)
            answer = answered(partial(performed, job, task, stop, teller))
            teller.catch_up()
            pipe.send(answer)


def prepare(job: Job[TaskType, FoundType]) -> None:
    """Has this process, and the thread that calls it, compute as the work asks for."""
    torch.set_num_threads(job.threads)
    keep_memory()


def answered(work: Callable[[], FoundType]) -> Answer[FoundType]:
    """What a task comes to, or why there is nothing. A mistake of ours ends the process with its traceback."""
    try:
        return Done(work())
    except (Interrupted, UserError) as error:
        return error
    except OSError as error:
        return UserError(refusal(error))


class AskedByPipe(Stop):
    """Asked to stop by whatever comes through the pipe while a task is done: there is nothing else to come."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self.pipe = pipe

    def check(self) -> None:
        if self.requested or self.pipe.poll():
            raise Interrupted


def stop_of_worker(pipe: Connection) -> Stop:
    """Hears SIGTERM, which may be meant for this process alone."""
    stop = AskedByPipe(pipe)

    def request(number: int, frame: FrameType | None) -> None:
        stop.requested = True

    signal.signal(signal.SIGTERM, request)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)  # held back while it started
    return stop


class Teller(Callback):
    """Sends on what a task shows, but not more often than somebody can look, and at last the last of it."""

    def __init__(self, send: Callable[[News], None], every: float = TELL_SECONDS) -> None:
        """`every`: at least so many seconds between two signs of life."""
        self.send, self.every = send, every
        self.told_at = 0.0
        self.untold: Progress | None = None

    def see(self, progress: Progress) -> None:
        self.untold = progress
        if time.monotonic() - self.told_at >= self.every:
            self.catch_up()

    def catch_up(self) -> None:
        if self.untold is not None:
            self.send(sendable(self.untold))
            self.told_at, self.untold = time.monotonic(), None

    def say(self, line: str) -> None:
        self.send(line)

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None:
        self.send(RunBegun(run, settings))

    def end_run(self) -> None:
        self.send(RunEnded())


def sendable(progress: Progress) -> Progress:
    """The same with its loss and accuracy measured, since the network stays here."""
    return progress if progress.means is None else replace(progress, means=partial(both, *progress.means()))


def both(loss: float, accuracy: float) -> tuple[float, float]:
    return loss, accuracy
