"""One worker process, as the process that started it sees it."""

from __future__ import annotations

import multiprocessing
import signal
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TypeAlias

import torch.multiprocessing  # noqa: F401  sends tensors through shared memory

from cleave.errors import UserError
from cleave.search.part import Part
from cleave.search.problem import Problem
from cleave.search.watch import Moment
from cleave.search.worker_process import Answer, serve

Told: TypeAlias = Moment | str | Answer


class Worker:
    """A process and the pipe to it. `part` is what it is at, None while it waits for one."""

    def __init__(self, problem: Problem, run: Path) -> None:
        """Starts it; raises OSError where the system does not let it."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, problem, run), daemon=True)
        self.process.start()
        theirs.close()  # else the end of the process would not be the end of the pipe
        self.run = run
        self.part: Part | None = None

    def begin(self, part: Part) -> None:
        assert self.part is None
        self.part = part
        self._tell(part)

    def ask_to_stop(self) -> None:
        self._tell(None)

    def _tell(self, word: Part | None) -> None:
        with suppress(ConnectionError):  # that it is no more is heard next
            self.pipe.send(word)

    def hear(self) -> Told:
        """What it tells next of its part; an answer is the last of it. A UserError where the process is no more."""
        told = self._next()
        if isinstance(told, Answer):
            self.part = None
        return told

    def answer(self) -> Answer:
        """What its part comes to, whatever else it tells before."""
        while not isinstance(told := self.hear(), Answer):
            pass
        return told

    def _next(self) -> Told:
        try:
            told: Told = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return UserError(self._last_words())
        return told

    def _last_words(self) -> str:
        assert self.part is not None
        return (
            f"a worker process {ending(self.process.exitcode)} at leaf {self.part.label}; what was saved is intact: "
            f"go on with fewer workers, as in: cleave resume {quote(str(self.run))} --workers 1"
        )

    def end(self) -> None:
        """Ends it at once, whatever it is at."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def ending(status: int | None) -> str:
    """How a process ended: by a signal (a negative status) or by itself."""
    if status is not None and status < 0:
        name = signal.Signals(-status).name
        return f"was killed by {name}" + (", as where memory runs out," if name == "SIGKILL" else "")
    return f"ended with exit status {status}"
