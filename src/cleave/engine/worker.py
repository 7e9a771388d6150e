"""One worker, as the process that gives it tasks sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Generic, cast

from cleave.engine.job import TaskType
from cleave.engine.told import Answer, FoundType, Lost, News, Ready, Told


class Worker(ABC, Generic[TaskType, FoundType]):
    """`ready`: it has loaded what it needs. `task` is what it is at, None while it waits for one."""

    def __init__(self) -> None:
        self.ready = False
        self.task: TaskType | None = None

    @property
    def idle(self) -> bool:
        """Whether it would begin a task at once."""
        return self.ready and self.task is None

    def begin(self, task: TaskType) -> None:
        assert self.idle
        self._give(task)
        self.task = task

    def hear(self) -> Told[FoundType]:
        """What it tells next; an answer is the last of its task."""
        told = self._next()
        if isinstance(told, Ready):
            self.ready = True
        elif isinstance(told, Lost):
            self.ready, self.task = False, None
        elif not isinstance(told, News):
            self.task = None
        return told

    def answer(self) -> Answer[FoundType] | Lost:
        """What its task comes to, whatever else it tells before."""
        while isinstance(told := self.hear(), News | Ready):
            pass
        return told

    @abstractmethod
    def ask_to_stop(self) -> None:
        """Has it save what it is at; that is its answer then."""

    @abstractmethod
    def _give(self, task: TaskType) -> None:
        """Has it begin a task."""

    @abstractmethod
    def _next(self) -> Told[FoundType]:
        """Waits for what it tells next."""

    @abstractmethod
    def kill(self) -> None:
        """Has it end at once, whatever it is at."""

    @abstractmethod
    def end(self) -> None:
        """The same, and waits until it has ended."""


class PipeWorker(Worker[TaskType, FoundType]):
    """A worker at the other end of a pipe."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self.pipe = pipe

    def ask_to_stop(self) -> None:
        self._send(None)

    def _give(self, task: TaskType) -> None:
        self._send(task)

    def _send(self, word: TaskType | None) -> None:
        with suppress(ConnectionError):  # that it is no more is heard next
            self.pipe.send(word)

    def _next(self) -> Told[FoundType]:
        try:
            return cast("Told[FoundType]", self.pipe.recv())
        except (EOFError, OSError):
            return self.ended()

    @abstractmethod
    def ended(self) -> Told[FoundType]:
        """What is to be said once nobody is at the other end of the pipe."""
