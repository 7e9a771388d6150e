"""Who does the parts of a search: this process, one after the other, or several worker processes."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from cleave.run.folder import RunFiles
from cleave.search.overview import Overview
from cleave.search.part import Findings, Part
from cleave.search.perform import perform
from cleave.search.problem import Problem
from cleave.search.watch import Stop
from cleave.search.work import nodes_at
from cleave.search.workers import Workers
from cleave.settings import Recipe


class Crew(Protocol):
    """Takes parts as long as it has room, and hands back what was found out in them."""

    @property
    def has_room(self) -> bool:
        """Whether another part can be begun."""

    def begin(self, part: Part) -> None:
        """Takes a part; there must be room."""

    def finished(self) -> tuple[Part, Findings]:
        """Waits until one of the parts that were begun is finished.

        Raises Interrupted when asked to stop and UserError for what the user can mend; all that is under way is
        saved by then.
        """


class ThisProcess:
    """A crew without other processes."""

    def __init__(self, problem: Problem, run: RunFiles, stop: Stop, overview: Overview) -> None:
        self.problem, self.run, self.stop, self.overview = problem, run, stop, overview
        self.part: Part | None = None

    @property
    def has_room(self) -> bool:
        return self.part is None

    def begin(self, part: Part) -> None:
        assert self.has_room
        self.part = part

    def finished(self) -> tuple[Part, Findings]:
        part, self.part = self.part, None
        assert part is not None
        return part, perform(self.problem, part, self.run, self.stop, self.overview.of(part.label))


def make_crew(
    workers: int, problem: Problem, run: RunFiles, stop: Stop, overview: Overview
) -> AbstractContextManager[Crew]:
    """As many workers as are asked for, but no more than there can ever be parts at once; for one, no process."""
    count = min(workers, most_parts(problem))
    if count > 1:
        return Workers(count, problem, run.path, stop, overview)
    return nullcontext(ThisProcess(problem, run, stop, overview))


def most_parts(problem: Problem) -> int:
    """How many parts of a search there can be at the same time: the leaves, or the control's architectures."""
    control = problem.recipe.trust.control
    leaves = nodes_at(problem.recipe, problem.space, problem.recipe.split.splits or 0)
    return max(leaves, control + 1 if control else 0)


def usual_workers(recipe: Recipe) -> int:
    """As many workers as the CPU cores that this process may use can serve; one on a GPU, which they would share."""
    if recipe.device != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // recipe.threads)
