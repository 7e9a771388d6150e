"""What executors of several workers have in common: giving tasks, listening, and having all saved at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import wait
from types import TracebackType
from typing import Generic

from cleave.engine.job import Job, TaskType
from cleave.engine.overview import Overview
from cleave.engine.progress import Progress
from cleave.engine.stop import Stop
from cleave.engine.told import Done, FoundType, Lost, News, Ready, Told, pass_on
from cleave.engine.worker import PipeWorker, Worker
from cleave.errors import Interrupted, UserError
from cleave.memory import OutOfMemory

LOOK_SECONDS = 0.1
"""How long a request to stop may wait until this process looks up."""


class PoolExecutor(ABC, Generic[TaskType, FoundType]):
    """An executor of workers, which live as long as the `with` block, or as this process if that is shorter."""

    def __init__(self, job: Job[TaskType, FoundType], stop: Stop, overview: Overview) -> None:
        self.job, self.stop, self.overview = job, stop, overview
        self.workers: Sequence[Worker[TaskType, FoundType]] = []
        self.waiting: list[TaskType] = []
        """Tasks for the next workers that are ready."""

    def __enter__(self) -> PoolExecutor[TaskType, FoundType]:
        """Starts them; UserError where that cannot be, Interrupted when asked to stop."""
        with ExitStack() as undo:  # whatever goes wrong, those that were started must not outlive it
            undo.callback(self._end)
            self._start()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @abstractmethod
    def _start(self) -> None:
        """Fills `workers`; what was started is ended by `_end` if this fails."""

    @abstractmethod
    def _telling(self) -> Sequence[Worker[TaskType, FoundType]]:
        """Waits a little for workers that have something to tell, or are no more; gives those."""

    @abstractmethod
    def _lose(self, task: TaskType | None, lost: Lost) -> None:
        """A worker is no more, which was at a task or had none. Raises UserError if that is the end of the run."""

    def _end(self) -> None:
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.end()

    @property
    def has_room(self) -> bool:
        return sum(worker.task is not None for worker in self.workers) + len(self.waiting) < len(self.workers)

    def begin(self, task: TaskType) -> None:
        assert self.has_room
        self.waiting.append(task)

    def finished(self) -> tuple[TaskType, FoundType]:
        try:
            return self._listen()
        except Interrupted:
            self._save()
            raise
        except UserError:
            with suppress(UserError):  # the first one is told
                self._save()
            raise

    def _listen(self) -> tuple[TaskType, FoundType]:
        """Waits for what was found out; what else is told is passed on, and raised where it is an error."""
        while True:
            self.stop.check()
            for worker in self.workers:
                if self.waiting and worker.idle:
                    worker.begin(self.waiting.pop(0))
            for worker in self._telling():
                task, told = worker.task, worker.hear()
                if isinstance(told, Done):
                    assert task is not None
                    return task, told.what
                self._pass_on(task, told)

    def _pass_on(self, task: TaskType | None, told: Told[FoundType]) -> None:
        if isinstance(told, Progress):
            assert task is not None
            self.overview.see(task.label, told)
        elif isinstance(told, News):
            pass_on(told, self.overview.callback)
        elif isinstance(told, Lost):
            self._lose(task, told)
        elif not isinstance(told, Ready):
            assert isinstance(told, Exception)
            raise self._advised(told)

    def _advised(self, error: Exception) -> Exception:
        """With what else to do where a task has not enough memory."""
        if isinstance(error, OutOfMemory) and self._more_memory:
            return OutOfMemory(f"{error}; or {self._more_memory}")
        return error

    @property
    def _more_memory(self) -> str:
        """How a task gets more memory; empty where there is no way."""
        return "go on with fewer --workers" if len(self.workers) > 1 else ""

    def _save(self) -> None:
        """Has every task saved that is under way; UserError where one could not be."""
        busy = [(worker.task, worker) for worker in self.workers if worker.task is not None]
        for _, worker in busy:
            worker.ask_to_stop()
        for task, answer in [(task, worker.answer()) for task, worker in busy]:
            if isinstance(answer, UserError):
                raise answer
            if isinstance(answer, Lost):
                self._lose(task, answer)


class PipeExecutor(PoolExecutor[TaskType, FoundType]):
    """One whose workers are at the other ends of pipes."""

    def __init__(self, job: Job[TaskType, FoundType], stop: Stop, overview: Overview) -> None:
        super().__init__(job, stop, overview)
        self.workers: list[PipeWorker[TaskType, FoundType]] = []

    def _telling(self) -> Sequence[PipeWorker[TaskType, FoundType]]:
        telling = wait([worker.pipe for worker in self.workers], LOOK_SECONDS)
        return [worker for worker in self.workers if worker.pipe in telling]
