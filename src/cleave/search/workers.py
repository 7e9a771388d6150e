"""Worker processes that do the parts of a search at the same time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType

from cleave.errors import Interrupted, UserError
from cleave.search.overview import Overview
from cleave.search.part import Findings, Part
from cleave.search.problem import Problem
from cleave.search.watch import Moment, Stop
from cleave.search.worker import Told, Worker

LOOK_SECONDS = 0.1
"""How long a request to stop may wait until this process looks up."""


class Workers:
    """A crew of processes. They live as long as the `with` block, or as this process if that is shorter."""

    def __init__(self, count: int, problem: Problem, run: Path, stop: Stop, overview: Overview) -> None:
        self.count, self.problem, self.run = count, replace(problem, table=None), run
        self.stop, self.overview = stop, overview
        self.workers: list[Worker] = []

    def __enter__(self) -> Workers:
        """Starts them; UserError where the system does not give them what they need."""
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # for them: it is read when torch is loaded
        share_images(self.problem)
        with ExitStack() as undo:  # whatever goes wrong, those that were started must not outlive it
            undo.callback(self._end)
            self._start()
            undo.pop_all()
        return self

    def _start(self) -> None:
        try:
            with signals_held_back():
                for _ in range(self.count):
                    self.workers.append(Worker(self.problem, self.run))
        except OSError as error:
            raise UserError(f"{self.count} workers cannot be started ({error}); give a smaller --workers") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for worker in self.workers:
            worker.end()

    @property
    def has_room(self) -> bool:
        return len(self._busy) < self.count

    @property
    def _busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.part is not None]

    def begin(self, part: Part) -> None:
        next(worker for worker in self.workers if worker.part is None).begin(part)

    def finished(self) -> tuple[Part, Findings]:
        try:
            return self._listen()
        except Interrupted:
            self._save()
            raise
        except UserError:
            with suppress(UserError):  # the first one is told
                self._save()
            raise

    def _listen(self) -> tuple[Part, Findings]:
        """Waits for findings; what else is told is passed on, and raised where it is an error."""
        while True:
            self.stop.check()
            for worker in self._telling():
                part, told = worker.part, worker.hear()
                assert part is not None
                if isinstance(told, Findings):
                    return part, told
                self._pass_on(part, told)

    def _telling(self) -> list[Worker]:
        """The busy workers that have something to tell or are no more."""
        ready = wait([worker.pipe for worker in self._busy], LOOK_SECONDS)
        return [worker for worker in self._busy if worker.pipe in ready]

    def _pass_on(self, part: Part, told: Told) -> None:
        if isinstance(told, Moment):
            self.overview.see(part.label, told)
        elif isinstance(told, str):
            self.overview.watcher.say(told)
        else:
            assert isinstance(told, Exception)
            raise told

    def _save(self) -> None:
        """Has every part saved that is under way; UserError where one could not be."""
        busy = self._busy
        for worker in busy:
            worker.ask_to_stop()
        for answer in [worker.answer() for worker in busy]:
            if isinstance(answer, UserError):
                raise answer


def share_images(problem: Problem) -> None:
    """Moves the images to where other processes see them too; UserError where there is no room."""
    try:
        for images in (problem.train, problem.valid):
            images.pixels.share_memory_()  # type: ignore[no-untyped-call]
            images.labels.share_memory_()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise UserError(
            f"the images cannot be shared with workers ({error}); give --workers 1, or make /dev/shm larger"
        ) from error


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Processes that start meanwhile do not hear signals before they are ready to; this one hears them afterwards."""
    resource_tracker.ensure_running()  # it would let the signals through while it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
