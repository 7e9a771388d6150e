"""One worker, as the process that gives it tasks sees it: the other end of a pipe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Generic, cast

from cleave.engine.job import TaskType
from cleave.engine.progress import Progress
from cleave.engine.told import Answer, FoundType, Lost, Ready, Told


class Worker(ABC, Generic[TaskType, FoundType]):
    """`ready`: it has loaded what it needs. `task` is what it is at, None while it waits for one."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.ready = False
        self.task: TaskType | None = None

    @property
    def idle(self) -> bool:
        """Whether it would begin a task at once."""
        return self.ready and self.task is None

    def begin(self, task: TaskType) -> None:
        assert self.idle
        self.task = task
        self._tell(task)

    def ask_to_stop(self) -> None:
        self._tell(None)

    def _tell(self, word: TaskType | None) -> None:
        with suppress(ConnectionError):  # that it is no more is heard next
            self.pipe.send(word)

    def hear(self) -> Told[FoundType]:
        """What it tells next; an answer is the last of its task."""
        try:
            told = cast("Told[FoundType]", self.pipe.recv())
        except (EOFError, OSError):
            told = self.ended()
        if isinstance(told, Ready):
            self.ready = True
        elif isinstance(told, Lost):
            self.ready, self.task = False, None
        elif not isinstance(told, Progress | str):
            self.task = None
        return told

    def answer(self) -> Answer[FoundType] | Lost:
        """What its task comes to, whatever else it tells before."""
        while isinstance(told := self.hear(), Progress | str | Ready):
            pass
        return told

    @abstractmethod
    def ended(self) -> Told[FoundType]:
        """What is to be said once nobody is at the other end of the pipe."""

    @abstractmethod
    def kill(self) -> None:
        """Has it end at once, whatever it is at."""

    @abstractmethod
    def end(self) -> None:
        """The same, and waits until it has ended."""
