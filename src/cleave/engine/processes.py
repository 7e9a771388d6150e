"""Worker processes that do the tasks of a search at the same time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from types import TracebackType
from typing import Generic

from cleave.data.images import Images
from cleave.engine.job import FoundType, Job, TaskType
from cleave.engine.overview import Overview
from cleave.engine.progress import Progress
from cleave.engine.stop import Stop
from cleave.engine.worker import Told, Worker
from cleave.engine.worker_process import Done, Ready
from cleave.errors import Interrupted, UserError
from cleave.signals import ASKING

LOOK_SECONDS = 0.1
"""How long a request to stop may wait until this process looks up."""


class ProcessExecutor(Generic[TaskType, FoundType]):
    """An executor of processes. They live as long as the `with` block, or as this process if that is shorter."""

    def __init__(self, count: int, job: Job[TaskType, FoundType], stop: Stop, overview: Overview) -> None:
        self.count, self.job, self.stop, self.overview = count, job, stop, overview
        self.workers: list[Worker[TaskType, FoundType]] = []

    def __enter__(self) -> ProcessExecutor[TaskType, FoundType]:
        """Starts them; UserError where the system does not give them what they need, Interrupted when asked to stop."""
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # for them: it is read when torch is loaded
        share_images(self.job.images)
        with ExitStack() as undo:  # whatever goes wrong, those that were started must not outlive it
            undo.callback(self._end)
            self._start()
            undo.pop_all()
        return self

    def _start(self) -> None:
        try:
            for _ in range(self.count):
                self.stop.check()
                with signals_held_back():
                    self.workers.append(Worker(self.job))
        except OSError as error:
            raise UserError(f"{self.count} workers cannot be started ({error}); give a smaller --workers") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.end()

    @property
    def has_room(self) -> bool:
        return len(self._busy) < self.count

    @property
    def _busy(self) -> list[Worker[TaskType, FoundType]]:
        return [worker for worker in self.workers if worker.task is not None]

    def begin(self, task: TaskType) -> None:
        next(worker for worker in self.workers if worker.task is None).begin(task)

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
        """Waits for findings; what else is told is passed on, and raised where it is an error."""
        while True:
            self.stop.check()
            for worker in self._telling():
                task, told = worker.task, worker.hear()
                assert task is not None
                if isinstance(told, Done):
                    return task, told.what
                self._pass_on(task, told)

    def _telling(self) -> list[Worker[TaskType, FoundType]]:
        """The busy workers that have something to tell or are no more."""
        ready = wait([worker.pipe for worker in self._busy], LOOK_SECONDS)
        return [worker for worker in self._busy if worker.pipe in ready]

    def _pass_on(self, task: TaskType, told: Told[FoundType]) -> None:
        if isinstance(told, Progress):
            self.overview.see(task.label, told)
        elif isinstance(told, str):
            self.overview.callback.say(told)
        elif not isinstance(told, Ready):
            assert isinstance(told, Exception)
            raise told

    def _save(self) -> None:
        """Has every task saved that is under way; UserError where one could not be."""
        busy = [worker for worker in self._busy if worker.has_begun]
        for worker in busy:
            worker.ask_to_stop()
        for answer in [worker.answer() for worker in busy]:
            if isinstance(answer, UserError):
                raise answer


def share_images(parts: Iterable[Images]) -> None:
    """Moves the images to where other processes see them too; UserError where there is no room."""
    try:
        for images in parts:
            images.pixels.share_memory_()  # type: ignore[no-untyped-call]
            images.labels.share_memory_()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise UserError(
            f"the images cannot be shared with workers ({error}); give --workers 1, or make /dev/shm larger"
        ) from error


@contextmanager
def signals_held_back() -> Iterator[None]:
    """A process that starts meanwhile does not hear signals before it is ready to; this one hears them afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    try:
        resource_tracker.ensure_running()  # a process too; while it starts two of the signals are let through
        signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
