"""Who does the tasks of a search: this process, one after the other, worker processes, Ray, or jobs of SLURM."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Generic, Protocol

from cleave.engine.engine import RAY, SLURM, Engine, usual_workers
from cleave.engine.job import FoundOut, Job, TaskType, performed
from cleave.engine.overview import Overview
from cleave.engine.processes import ProcessExecutor
from cleave.engine.progress import Callback
from cleave.engine.ray_executor import RayExecutor
from cleave.engine.slurm_cluster import end_earlier
from cleave.engine.slurm_executor import SlurmExecutor
from cleave.engine.stop import Stop
from cleave.engine.told import FoundType, OneRun
from cleave.errors import Interrupted, UserError
from cleave.run.mirror import brought


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
    engine: Engine, tasks: int, job: Job[TaskType, FoundType], stop: Stop, overview: Overview
) -> AbstractContextManager[Executor[TaskType, FoundType]]:
    """The executor of an engine, for no more workers than there can ever be `tasks` at once.

    The caller holds the run's lock: any other that had jobs done for it is gone, and they are ended.
    """
    end_earlier(job.run)
    if engine.name == RAY and tasks:
        return RayExecutor(engine, tasks, job, stop, overview)
    if engine.name == SLURM and tasks:
        return SlurmExecutor(engine, tasks, job, stop, overview)
    count = min(engine.workers or usual_workers(job.device, job.threads), tasks)
    if count > 1:
        return ProcessExecutor(count, job, stop, overview)
    return nullcontext(SerialExecutor(job, stop, overview))


def handed_out(engine: Engine, job: Job[TaskType, FoundType], task: TaskType, callback: Callback) -> FoundType:
    """What a job's only task comes to, done by somebody else; it raises as it would here."""
    with OneRun(callback) as heard, make_executor(engine, 1, job, callback.stop, Overview(heard)) as executor:
        executor.begin(task)
        try:
            _, found = executor.finished()
        except Interrupted:
            with suppress(UserError):  # that it was interrupted is what is told
                brought(job.run)
            raise
    brought(job.run)
    return found
