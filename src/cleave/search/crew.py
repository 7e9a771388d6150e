"""Who does the parts of a search: this process, one after the other, or several worker processes."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, Protocol

from cleave.search.job import FoundOut, FoundType, Job, PartType, performed
from cleave.search.overview import Overview
from cleave.search.watch import Stop
from cleave.search.workers import Workers


class Crew(Protocol[PartType, FoundOut]):
    """Takes parts as long as it has room, and hands back what was found out in them."""

    @property
    def has_room(self) -> bool:
        """Whether another part can be begun."""

    def begin(self, part: PartType) -> None:
        """Takes a part; there must be room."""

    def finished(self) -> tuple[PartType, FoundOut]:
        """Waits until one of the parts that were begun is finished.

        Raises Interrupted when asked to stop and UserError for what the user can correct; all that is under way is
        saved by then.
        """


class ThisProcess(Generic[PartType, FoundType]):
    """A crew without other processes."""

    def __init__(self, job: Job[PartType, FoundType], stop: Stop, overview: Overview) -> None:
        self.job, self.stop, self.overview = job, stop, overview
        self.part: PartType | None = None

    @property
    def has_room(self) -> bool:
        return self.part is None

    def begin(self, part: PartType) -> None:
        assert self.has_room
        self.part = part

    def finished(self) -> tuple[PartType, FoundType]:
        part, self.part = self.part, None
        assert part is not None
        return part, performed(self.job, part, self.stop, self.overview.of(part.label))


def make_crew(
    workers: int, parts: int, job: Job[PartType, FoundType], stop: Stop, overview: Overview
) -> AbstractContextManager[Crew[PartType, FoundType]]:
    """As many workers as are asked for, but no more than there can ever be `parts` at once; for one, no process."""
    count = min(workers, parts)
    if count > 1:
        return Workers(count, job, stop, overview)
    return nullcontext(ThisProcess(job, stop, overview))


def usual_workers(device: str, threads: int) -> int:
    """As many workers as the CPU cores that this process may use can serve; one on a GPU, which they would share."""
    if device != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)
