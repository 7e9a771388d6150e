"""Executors of several workers: who gets which task, and what is done about a worker that is lost."""

from __future__ import annotations

import random
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from cleave.engine.engine import Engine
from cleave.engine.losses import LOSSES
from cleave.engine.overview import Overview
from cleave.engine.progress import Callback, Progress
from cleave.engine.ray_executor import RayExecutor, RelayedWorker
from cleave.engine.stop import Stop
from cleave.engine.told import Done, Lost, Ready
from cleave.errors import Interrupted, UserError


@dataclass(frozen=True)
class Errand:
    label: str


class Idle:
    run, threads, device, sizes, images = Path("a run"), 1, "cpu", "", ()

    def perform(self, task: Errand, stop: Stop, callback: Callback) -> str:
        raise AssertionError


class Listener(Callback):
    """Asks `stop` to stop once it has seen something."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seen: list[str] = []
        self.stop = Stop()

    def see(self, progress: Progress) -> None:
        self.seen.append(progress.leaf)
        self.stop.requested = True

    def say(self, line: str) -> None:
        self.lines.append(line)


class Scripted(RayExecutor[Errand, str]):
    """Its workers are the other ends of pipes in this test."""

    def __init__(self, count: int) -> None:
        self.listener = Listener()
        self.far: list[Connection] = []
        super().__init__(Engine(count), count, Idle(), Stop(), Overview(self.listener))

    def _start(self) -> None:
        pairs = [Pipe() for _ in range(self.count)]
        self.far = [far for _, far in pairs]
        self.workers = [RelayedWorker(near, self.job.run) for near, _ in pairs]


def told(executor: Scripted, worker: int, *said: Any) -> None:  # noqa: ANN401
    for each in said:
        executor.far[worker].send(each)


def test_tasks_go_to_whoever_is_ready_and_what_is_shown_is_passed_on() -> None:
    with Scripted(3) as executor:
        ready = random.randrange(3)
        told(executor, ready, Ready())
        executor.begin(Errand("a"))
        executor.begin(Errand("b"))
        assert executor.has_room
        told(executor, ready, Progress(1, 9, "a", "search"), "a line", Done("found"))
        assert executor.finished() == (Errand("a"), "found")
        assert executor.far[ready].recv() == Errand("a")
        told(executor, ready, Done("more"))
        assert executor.finished() == (Errand("b"), "more")
        assert (executor.listener.seen, executor.listener.lines) == (["a"], ["a line"])


def test_a_task_that_loses_its_worker_is_begun_again_and_not_for_ever() -> None:
    with Scripted(1) as executor:
        executor.begin(Errand("a"))
        for _ in range(LOSSES - 1):
            told(executor, 0, Ready(), Lost("its machine is gone"))
        told(executor, 0, Ready(), Done("found"))
        assert executor.finished() == (Errand("a"), "found")
        assert [executor.far[0].recv() for _ in range(LOSSES)] == [Errand("a")] * LOSSES
        assert len(executor.listener.lines) == LOSSES - 1
        executor.begin(Errand("b"))
        told(executor, 0, *(each for _ in range(LOSSES) for each in (Lost("gone"), Ready())))
        words = r"a Ray worker ended at b for the 3rd time \(gone\).*go on with: cleave resume 'a run' --engine ray$"
        with pytest.raises(UserError, match=words):
            executor.finished()


def test_workers_that_end_before_they_begin_are_not_waited_for_for_ever() -> None:
    with Scripted(2) as executor:
        executor.begin(Errand("a"))
        told(executor, 1, *[Lost("no disk")] * LOSSES)
        with pytest.raises(
            UserError,
            match=r"ended at its start for the 3rd time \(no disk\).*fewer .*cleave resume 'a run' --workers 1$",
        ):
            executor.finished()


def test_all_that_is_under_way_is_asked_to_stop_and_answers() -> None:
    with Scripted(2) as executor:
        for worker, label in enumerate("ab"):
            executor.begin(Errand(label))
            told(executor, worker, Ready(), Progress(1, 9, label, "search"), "a last line", Interrupted())
        executor.listener.stop = executor.stop
        with pytest.raises(Interrupted):
            executor.finished()
        for far, label in zip(executor.far, "ab", strict=True):
            assert [far.recv(), far.recv()] == [Errand(label), None]
        assert executor.listener.lines == ["a last line"] * len(executor.listener.lines)


def test_a_task_that_cannot_be_saved_is_told_but_for_a_worker_of_rays_that_is_lost() -> None:
    for answer, error in ((UserError("the disk is full"), UserError), (Lost("gone"), Interrupted)):
        with Scripted(1) as executor:
            executor.begin(Errand("a"))
            told(executor, 0, Ready(), Progress(1, 9, "a", "search"), answer)
            executor.listener.stop = executor.stop
            with pytest.raises(error):
                executor.finished()


def test_a_mistake_of_ours_is_not_tried_again() -> None:
    with Scripted(1) as executor:
        executor.begin(Errand("a"))
        told(executor, 0, Ready(), RuntimeError("Traceback ..."))
        with pytest.raises(RuntimeError, match="Traceback"):
            executor.finished()


def test_the_end_of_ray_is_one_line() -> None:
    with Scripted(2) as executor:
        executor.begin(Errand("a"))
        told(executor, 0, Ready())
        for far in executor.far:
            far.close()
        with pytest.raises(UserError, match=r"Ray has ended; what was saved is intact: .*cleave resume 'a run'"):
            executor.finished()
