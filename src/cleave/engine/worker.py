"""One worker process, as the process that started it sees it."""

from __future__ import annotations

import multiprocessing
import signal
from contextlib import suppress
from shlex import quote
from typing import Generic, TypeAlias, cast

import torch.multiprocessing  # noqa: F401  sends tensors through shared memory

from cleave.engine.job import FoundType, Job, TaskType
from cleave.engine.progress import Progress
from cleave.engine.worker_process import Answer, Ready
from cleave.engine.worker_start import Parcel, begin
from cleave.errors import UserError

Told: TypeAlias = Progress | str | Ready | Answer[FoundType]


class Worker(Generic[TaskType, FoundType]):
    """A process and the pipe to it. `task` is what it is at, None while it waits for one."""

    def __init__(self, job: Job[TaskType, FoundType]) -> None:
        """Starts it; raises OSError where the system does not let it."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=begin, args=(theirs, Parcel(job)), daemon=True)
        self.process.start()
        theirs.close()  # else the end of the process would not be the end of the pipe
        self.run = job.run
        self.task: TaskType | None = None
        self.ready = False

    def begin(self, task: TaskType) -> None:
        assert self.task is None
        self.task = task
        self._tell(task)

    def ask_to_stop(self) -> None:
        self._tell(None)

    def _tell(self, word: TaskType | None) -> None:
        with suppress(ConnectionError):  # that it is no more is heard next
            self.pipe.send(word)

    def hear(self) -> Told[FoundType]:
        """What it tells next of its task; an answer is the last of it. A UserError where the process is no more."""
        told = self._next()
        self.ready = True
        if not isinstance(told, Progress | str | Ready):
            self.task = None
        return told

    @property
    def has_begun(self) -> bool:
        """Whether there may be something to save; before, it only loads what it needs, which takes seconds."""
        return self.ready or self.pipe.poll()

    def answer(self) -> Answer[FoundType]:
        """What its task comes to, whatever else it tells before."""
        while isinstance(told := self.hear(), Progress | str | Ready):
            pass
        return told

    def _next(self) -> Told[FoundType]:
        try:
            told = cast("Told[FoundType]", self.pipe.recv())
        except (EOFError, OSError):
            self.process.join()
            return UserError(self._last_words())
        return told

    def _last_words(self) -> str:
        assert self.task is not None
        killed = self.process.exitcode == -signal.SIGKILL
        return (
            f"a worker process {ending(self.process.exitcode)} at {self.task.label}; what was saved is intact: go on "
            f"with{' fewer workers, as in' if killed else ''}: cleave resume {quote(str(self.run))}"
            f"{' --workers 1' if killed else ''}"
        )

    def kill(self) -> None:
        """Has it end at once, whatever it is at."""
        self.process.kill()

    def end(self) -> None:
        """The same, and waits until it has ended."""
        self.kill()
        self.process.join()
        self.pipe.close()


def ending(status: int | None) -> str:
    """How a process ended: by a signal (a negative status) or by itself."""
    if status is not None and status < 0:
        name = signal.Signals(-status).name
        return f"was killed by {name}" + (", as where memory runs out," if name == "SIGKILL" else "")
    return f"ended with exit status {status}"
