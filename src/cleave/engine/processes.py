"""Worker processes of this machine that do the tasks of a search at the same time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import torch.multiprocessing  # noqa: F401  sends tensors through shared memory

from cleave.data.images import Images
from cleave.engine.job import Job, TaskType
from cleave.engine.overview import Overview
from cleave.engine.pool import PipeExecutor
from cleave.engine.stop import Stop
from cleave.engine.told import FoundType, Lost
from cleave.engine.worker import PipeWorker
from cleave.engine.worker_start import Parcel, begin
from cleave.errors import UserError
from cleave.run.mirror import resume_command
from cleave.signals import ASKING


class ProcessWorker(PipeWorker[TaskType, FoundType]):
    """A worker process and the pipe to it."""

    def __init__(self, job: Job[TaskType, FoundType]) -> None:
        """Starts it; raises OSError where the system does not let it."""
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        super().__init__(pipe)
        self.process = context.Process(target=begin, args=(theirs, Parcel(job)), daemon=True)
        self.process.start()
        theirs.close()  # else the end of the process would not be the end of the pipe

    def ended(self) -> Lost:
        self.process.join()
        return Lost(ending(self.process.exitcode))

    def kill(self) -> None:
        self.process.kill()

    def end(self) -> None:
        self.kill()
        self.process.join()
        self.pipe.close()


def ending(status: int | None) -> str:
    """How a process ended: by a signal (a negative status) or by itself."""
    if status is not None and status < 0:
        name = signal.Signals(-status).name
        return f"was killed by {name}" + (", as where memory runs out," if name == "SIGKILL" else "")
    return f"ended with exit status {status}"


class ProcessExecutor(PipeExecutor[TaskType, FoundType]):
    """An executor of `count` processes."""

    def __init__(self, count: int, job: Job[TaskType, FoundType], stop: Stop, overview: Overview) -> None:
        super().__init__(job, stop, overview)
        self.count = count

    def _start(self) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # for them: it is read when torch is loaded
        share_images(self.job.images)
        try:
            for _ in range(self.count):
                self.stop.check()
                with signals_held_back():
                    self.workers.append(ProcessWorker(self.job))
        except OSError as error:
            raise UserError(f"{self.count} workers cannot be started ({error}); give a smaller --workers") from error

    def _lose(self, task: TaskType | None, lost: Lost) -> None:
        at = "before its first task" if task is None else f"at {task.label}"
        go_on = resume_command(self.job.run)
        killed = "SIGKILL" in lost.reason
        raise UserError(
            f"a worker process {lost.reason} {at}; what was saved is intact: go on with"
            + (f" fewer workers, as in: {go_on} --workers 1" if killed else f": {go_on}")
        )


def share_images(parts: Iterable[Images]) -> None:
    """Moves the images to where other processes see them too; UserError where there is no room."""
    try:
        for images in parts:
            for tensor in images.tensors:
                tensor.share_memory_()  # type: ignore[no-untyped-call]
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
