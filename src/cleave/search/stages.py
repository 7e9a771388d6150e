"""What a search does, one stage after the other. Another stage is a class in a file of its own, and a line in `STAGES`.

The tasks of a stage may be done at the same time. What they find is merged in the stage's own order, whatever order
they end in: so all that a search leaves behind is the same, byte for byte, for any number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from cleave.search.control import ControlStage
from cleave.search.halving import HalvingStage
from cleave.search.problem import Problem
from cleave.search.state import State
from cleave.search.task import Task, TaskResult
from cleave.search.tree_stage import TreeStage
from cleave.search.work import PlannedWork


class Stage(Protocol):
    """A part of a search. What it has found is in the `State` alone, so that it goes on from any checkpoint."""

    def __init__(self, problem: Problem) -> None: ...

    def tasks(self, state: State, found: Mapping[str, TaskResult]) -> Iterable[Task]:
        """Those that can be done now, and are not done, in the order of merging; `found` waits to be merged, by label.
        Where there are many, no more of them are taken than there is room for.

        There is one at least as long as the stage is not finished.
        """

    def next(self, state: State) -> str | None:
        """The label of the task whose result is merged next; None once the stage is finished."""

    def merge(self, state: State, label: str, result: TaskResult) -> None:
        """Puts what the next task found into the state."""

    def merged(self, state: State) -> list[str]:
        """The labels of its tasks that need not be done any more."""

    def planned(self) -> list[PlannedWork]:
        """What it will do, as far as can be told beforehand."""

    def most_tasks(self) -> int:
        """How many of its tasks there can be at the same time."""


STAGES: Sequence[type[Stage]] = (TreeStage, HalvingStage, ControlStage)
"""In their order: each begins when the one before it is finished."""


def stages_of(problem: Problem) -> list[Stage]:
    return [stage(problem) for stage in STAGES]


def planned_passes(problem: Problem) -> int:
    """The passes over a mini-batch of the whole search, as far as they can be told beforehand."""
    return int(sum(work.passes for stage in stages_of(problem) for work in stage.planned()))


def most_tasks(problem: Problem) -> int:
    """How many tasks of a search there can be at the same time."""
    return max(stage.most_tasks() for stage in stages_of(problem))
