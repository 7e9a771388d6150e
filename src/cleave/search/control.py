"""The control of a search: what random architectures reach that are trained alone with the same work.

Random search with the same budget is the baseline that weight sharing has to beat (Li & Talwalkar, 2020; Yu et al.,
2020). The chosen architecture is trained in the same way beside them, so that like is compared with like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cleave.data.chance import Chance
from cleave.search.halving import HalvingStage
from cleave.search.problem import Problem
from cleave.search.retraining import retrain_steps
from cleave.search.scope import Standalone
from cleave.search.selection import chosen_leaf
from cleave.search.state import State
from cleave.search.task import RetrainTask, StandaloneTask, Task, TaskResult
from cleave.search.tree_stage import TreeStage
from cleave.search.work import PlannedWork, Step, control_epochs, evaluating, passes_done
from cleave.space import Arch
from cleave.space.sample import distinct


@dataclass(frozen=True)
class Control:
    """The chosen architecture, then the random ones, and for how many epochs each is trained alone."""

    architectures: list[Arch]
    epochs: int


def plan_control(problem: Problem, state: State) -> Control:
    """As many random valid architectures as `trust.control` asks for and the space has; nothing where it is 0."""
    count = problem.recipe.trust.control
    if count == 0:
        return Control([], 0)
    leaf = chosen_leaf(problem.recipe, state)
    assert leaf.result is not None
    chosen = problem.space.parse(leaf.result["arch"])
    generator = Chance(problem.recipe.seed, "control").generator("architectures")
    drawn = distinct(problem.space, problem.space.region, count + 1, generator)
    others = [arch for arch in drawn if arch != chosen][:count]
    if not others:
        return Control([], 0)
    epochs = control_epochs(len(others), passes_done(problem, state.cost), steps_per_epoch(problem))
    return Control([chosen, *others], epochs)


def steps_per_epoch(problem: Problem) -> int:
    """Of an architecture of the control."""
    return retrain_steps(problem) if problem.recipe.selection.retrains else problem.steps_per_epoch


class ControlStage:
    """The chosen architecture and the random ones are trained alone, one by one."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.control: Control | None = None

    def tasks(self, state: State, found: Mapping[str, TaskResult]) -> list[Task]:
        return [task for task in self._left(state) if task.label not in found]

    def _left(self, state: State) -> list[Task]:
        """Those that are not merged. Which there are is settled once the tree is finished, as it is by now."""
        self.control = self.control or plan_control(self.problem, state)
        tasks = [
            self._task(Standalone(label_of(number), arch), self.control.epochs)
            for number, arch in enumerate(self.control.architectures)
        ]
        return tasks[len(state.accuracies) :]

    def _task(self, scope: Standalone, epochs: int) -> Task:
        """At the search's size, or as the leaves' architectures are retrained where that chose among them."""
        if self.problem.recipe.selection.retrains:
            return RetrainTask(scope.label, scope, epochs, total=epochs)
        return StandaloneTask(scope, epochs)

    def next(self, state: State) -> str | None:
        left = self._left(state)
        return left[0].label if left else None

    def merge(self, state: State, label: str, result: TaskResult) -> None:
        state.control += result.cost
        state.accuracies |= result.accuracies

    def merged(self, state: State) -> list[str]:
        return [label_of(number) for number in range(len(state.accuracies))]

    def planned(self) -> list[PlannedWork]:
        problem, count = self.problem, self.problem.recipe.trust.control
        if not count:
            return []
        search = [*TreeStage(problem).planned_search(), *HalvingStage(problem).planned()]
        each = steps_per_epoch(problem)
        epochs = control_epochs(count, int(sum(work.passes for work in search)), each)
        retrains = problem.recipe.selection.retrains  # then statistics are those of the training
        judged = len(problem.valid) + (0 if retrains else problem.judging.images)
        steps, images = epochs * each, (count + 1) * judged
        kind: Step = "retraining" if retrains else "alone"
        training = PlannedWork("control", (count + 1) * steps, count + 1, epochs, steps, kind)
        return [training, PlannedWork("control's evaluation", evaluating(problem, images))]

    def most_tasks(self) -> int:
        count = self.problem.recipe.trust.control
        return count + 1 if count else 0


def label_of(number: int) -> str:
    """Of an architecture of the control; its random numbers go by it."""
    return f"control {number}"
