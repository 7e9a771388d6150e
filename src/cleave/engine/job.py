"""Work that is done in tasks, by this process or by several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from cleave.data.images import Images
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.memory import memory_for


class Labelled(Protocol):
    """A task of the work; its label names it to people, and its folder."""

    @property
    def label(self) -> str: ...


TaskType = TypeVar("TaskType", bound=Labelled)
TaskIn = TypeVar("TaskIn", bound=Labelled, contravariant=True)
FoundOut = TypeVar("FoundOut", covariant=True)


@dataclass(frozen=True)
class OnlyTask:
    """Of a job that has one."""

    label: str


class Job(Protocol[TaskIn, FoundOut]):
    """The work: it is sent to every worker once, so that it has to be picklable."""

    @property
    def run(self) -> Path:
        """The run folder."""

    @property
    def threads(self) -> int:
        """Of the CPU, for each process."""

    @property
    def device(self) -> str:
        """Where it computes, as torch names it."""

    @property
    def sizes(self) -> str:
        """The keys by which it takes less memory, for people."""

    @property
    def images(self) -> Iterable[Images]:
        """What is too large to be copied for every process."""

    def perform(self, task: TaskIn, stop: Stop, callback: Callback) -> FoundOut:
        """Does a task, or goes on with it; Interrupted, with all saved, where asked to stop."""


def performed(job: Job[TaskIn, FoundOut], task: TaskIn, stop: Stop, callback: Callback) -> FoundOut:
    """What a job comes to in a task; OutOfMemory where there is not enough."""
    with memory_for(task.label, job.sizes):
        return job.perform(task, stop, callback)
