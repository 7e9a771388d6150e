"""Who does the tasks of a search: this process, one after the other, or several worker processes."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, Protocol

from cleave.engine.job import FoundOut, FoundType, Job, TaskType, performed
from cleave.engine.overview import Overview
from cleave.engine.processes import ProcessExecutor
from cleave.engine.stop import Stop


class Executor(Protocol[TaskType, FoundOut]):
    """Takes tasks as long as it has room, and hands back what was found out in them."""

    @property
    def has_room(self) -> bool:
        """Whether another task can be begun."""

    def begin(self, task: TaskType) -> None:
        """Takes a task; there must be room."""

    def finished(self) -> tuple[TaskType, FoundOut]:
        """Waits until one of the tasks that were begun is finished.

        Raises Interrupted when asked to stop and UserError for what the user can correct; all that is under way is
        saved by then.
        """


class SerialExecutor(Generic[TaskType, FoundType]):
    """An executor without other processes."""

    def __init__(self, job: Job[TaskType, FoundType], stop: Stop, overview: Overview) -> None:
        self.job, self.stop, self.overview = job, stop, overview
        self.task: TaskType | None = None

    @property
    def has_room(self) -> bool:
        return self.task is None

    def begin(self, task: TaskType) -> None:
        assert self.has_room
        self.task = task

    def finished(self) -> tuple[TaskType, FoundType]:
        task, self.task = self.task, None
        assert task is not None
        return task, performed(self.job, task, self.stop, self.overview.of(task.label))


def make_executor(
    workers: int, tasks: int, job: Job[TaskType, FoundType], stop: Stop, overview: Overview
) -> AbstractContextManager[Executor[TaskType, FoundType]]:
    """As many workers as are asked for, but no more than there can ever be `tasks` at once; for one, no process."""
    count = min(workers, tasks)
    if count > 1:
        return ProcessExecutor(count, job, stop, overview)
    return nullcontext(SerialExecutor(job, stop, overview))


def usual_workers(device: str, threads: int) -> int:
    """As many workers as the CPU cores that this process may use can serve; one on a GPU, which they would share."""
    if device != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)
