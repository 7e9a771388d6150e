"""Work that is done in parts, by this process or by several."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from cleave.data.images import Images
from cleave.memory import memory_for
from cleave.search.watch import Stop, Watcher


class Labelled(Protocol):
    """A part of the work; its label names it to people, and its folder."""

    @property
    def label(self) -> str: ...


PartType = TypeVar("PartType", bound=Labelled)
FoundType = TypeVar("FoundType")
PartIn = TypeVar("PartIn", bound=Labelled, contravariant=True)
FoundOut = TypeVar("FoundOut", covariant=True)


class Job(Protocol[PartIn, FoundOut]):
    """The work: it is sent to every worker process once, so that it has to be picklable."""

    @property
    def run(self) -> Path:
        """The run folder."""

    @property
    def threads(self) -> int:
        """Of the CPU, for each process."""

    @property
    def sizes(self) -> str:
        """The keys by which it takes less memory, for people."""

    @property
    def images(self) -> Iterable[Images]:
        """What is too large to be copied for every process."""

    def perform(self, part: PartIn, stop: Stop, watcher: Watcher) -> FoundOut:
        """Does a part, or goes on with it; Interrupted, with all saved, where asked to stop."""


def performed(job: Job[PartIn, FoundOut], part: PartIn, stop: Stop, watcher: Watcher) -> FoundOut:
    """What a job comes to in a part; OutOfMemory where there is not enough."""
    with memory_for(part.label, job.sizes):
        return job.perform(part, stop, watcher)
