"""Successive halving among the leaves: their architectures are retrained, and the worse half is dropped at every rung.

GM-NAS, appendix C. Its released code goes by test accuracy; here it is the held-out images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from cleave.search.problem import Problem
from cleave.search.retraining import retrain_steps, retraining_layout
from cleave.search.rungs import half, in_rung
from cleave.search.scope import Standalone
from cleave.search.state import State
from cleave.search.task import Kept, RetrainTask, Task, TaskResult
from cleave.search.work import PlannedWork, evaluating, nodes_at
from cleave.settings import Recipe
from cleave.split import Node

Accuracies = dict[str, list[float]]
"""By architecture, in percent of the held-out images, at the ends of the rungs that it has finished."""


class HalvingStage:
    """The architectures of the leaves, each once, rung by rung; each goes on where the rung before ended."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        selection = problem.recipe.selection
        self.schedule = (selection.schedule or []) if selection.retrains else []
        if self.schedule:
            retraining_layout(problem)  # refuses what the space or the images have not, before anything is done

    def tasks(self, state: State, found: Mapping[str, TaskResult]) -> list[Task]:
        kept = state.kept | {label: each for result in found.values() for label, each in result.kept.items()}
        return [self._task(state, arch, rung, kept) for arch, rung in self._left(state, self._foreseen(state, found))]

    def next(self, state: State) -> str | None:
        left = self._left(state, self._foreseen(state, {}))
        return self._label(state, *left[0]) if left else None

    def merge(self, state: State, label: str, result: TaskResult) -> None:
        state.cost += result.cost
        state.kept |= result.kept
        for arch, accuracy in result.accuracies.items():
            state.retrained.setdefault(arch, []).append(accuracy)

    def merged(self, state: State) -> list[str]:
        done = self._foreseen(state, {})
        return [self._label(state, arch, rung) for arch in done for rung in range(len(done[arch]))]

    def planned(self) -> list[PlannedWork]:
        return list(self._planned())

    def most_tasks(self) -> int:
        return self._leaves if self.schedule else 0

    @property
    def _leaves(self) -> int:
        recipe = self.problem.recipe
        return nodes_at(recipe, self.problem.space, recipe.split.splits or 0)

    def _planned(self) -> Iterator[PlannedWork]:
        problem, count = self.problem, self._leaves
        for before, epochs in pairwise([0, *self.schedule]):
            steps = (epochs - before) * retrain_steps(problem)
            judged = evaluating(problem, count * len(problem.valid))
            yield PlannedWork(f"halving to {epochs}", count * steps, count, epochs - before, steps, "retraining")
            yield PlannedWork(f"evaluation at {epochs}", judged)
            count = half(count)

    def _foreseen(self, state: State, found: Mapping[str, TaskResult]) -> Accuracies:
        """What will be known once all that is found is merged; of each architecture of a leaf, in the leaves' order."""
        known = {arch: [each.overall for each in state.retrained.get(arch, [])] for arch in competitors(state)}
        for arch, rungs in known.items():
            while len(rungs) < len(self.schedule) and (label := self._label(state, arch, len(rungs))) in found:
                rungs.append(found[label].accuracies[arch].overall)
        return known

    def _left(self, state: State, known: Accuracies) -> list[tuple[str, int]]:
        """The architectures that the first unfinished rung still has to train, with its number."""
        for rung in range(len(self.schedule)):
            present = in_rung(list(known), known, rung)
            assert present is not None, "the rungs before are finished"
            if left := [(arch, rung) for arch in present if len(known[arch]) <= rung]:
                return left
        return []

    def _label(self, state: State, arch: str, rung: int) -> str:
        return rung_label(competitors(state)[arch], self.schedule[rung])

    def _task(self, state: State, arch: str, rung: int, kept: Mapping[str, str]) -> RetrainTask:
        scope = Standalone(scope_label(competitors(state)[arch]), self.problem.space.parse(arch))
        before = self._label(state, arch, rung - 1) if rung else None
        return RetrainTask(
            self._label(state, arch, rung),
            scope,
            self.schedule[rung],
            total=self.schedule[-1],
            before=None if before is None else Kept(before, kept[before]),
            keeps=True,
        )


def competitors(state: State) -> dict[str, str]:
    """The architectures of the leaves, in their order, each with the first leaf that has it."""
    found: dict[str, str] = {}
    for leaf in state.searched:
        assert leaf.result is not None
        found.setdefault(leaf.result["arch"], leaf.label)
    return found


def scope_label(leaf: str) -> str:
    """Of a leaf's architecture in retraining; its random numbers go by it."""
    return f"retrained {leaf}"


def rung_label(leaf: str, epochs: int) -> str:
    """Of a task, and of the weights that it keeps."""
    return f"{scope_label(leaf)}@{epochs}"


def last_label(recipe: Recipe, state: State, chosen: Node) -> str:
    """That of the chosen leaf's network, fully trained."""
    assert chosen.result is not None
    assert recipe.selection.schedule is not None
    return rung_label(competitors(state)[chosen.result["arch"]], recipe.selection.schedule[-1])
