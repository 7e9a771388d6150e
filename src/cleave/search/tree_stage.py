"""The tree that splitting grows (GM-NAS, algorithm 1): every node is trained, and then split or searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy

from cleave.search.problem import Problem
from cleave.search.schedule import schedule
from cleave.search.state import State
from cleave.search.task import Task, TaskResult, node_task
from cleave.search.work import (
    PlannedWork,
    Step,
    evaluated_batches,
    evaluating,
    held_out_batches,
    nodes_at,
    scored_passes,
    trained_alone,
    training,
)
from cleave.split import Node, Tree


class TreeStage:
    """Nodes are merged level by level. Children are begun as soon as their parent is done, merged or not."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.splits = problem.recipe.split.splits or 0

    def tasks(self, state: State, found: Mapping[str, TaskResult]) -> list[Task]:
        tree = self._foreseen(state, found)
        kept = state.kept | {label: each for result in found.values() for label, each in result.kept.items()}
        nodes = [node for node in tree.nodes.values() if not node.finished]
        return [node_task(node, tree, kept) for node in sorted(nodes, key=lambda node: (len(node.path), node.path))]

    def _foreseen(self, state: State, found: Mapping[str, TaskResult]) -> Tree:
        """The tree as it will be once all that is found is merged: what nodes can be trained is seen from it."""
        tree = deepcopy(state.tree)
        while nodes := [node for node in tree.nodes.values() if not node.finished and node.label in found]:
            for node in nodes:
                self._settle(tree, node, found[node.label])
        return tree

    def next(self, state: State) -> str | None:
        node = state.tree.next_open()
        return None if node is None else node.label

    def merge(self, state: State, label: str, result: TaskResult) -> None:
        node = state.tree.next_open()
        assert node is not None
        assert node.label == label
        state.cost += result.cost
        state.control += result.control
        state.kept |= result.kept
        self._settle(state.tree, node, result)

    def _settle(self, tree: Tree, node: Node, result: TaskResult) -> None:
        """Divides a node, or gives it its result."""
        if result.split is None:
            node.result = result.result
        else:
            tree.grow(node, result.split, self.problem.space.holds_valid)

    def merged(self, state: State) -> list[str]:
        return [node.label for node in state.tree.nodes.values() if node.finished]

    def planned(self) -> list[PlannedWork]:
        panels = PlannedWork("panels", evaluating(self.problem, self._panel_images()))
        return [*self.planned_levels(), panels]

    def planned_levels(self) -> list[PlannedWork]:
        """The search itself, without what only tells how far to trust it."""
        return [work for depth in range(self.splits + 1) for work in self._level(depth)]

    def _level(self, depth: int) -> Iterator[PlannedWork]:
        """Training, splitting and evaluation of the nodes at a depth."""
        problem, method, plan = self.problem, self.problem.method, schedule(self.problem.recipe, depth)
        count, passes = self._nodes(depth), self._nodes(depth) * training(problem, depth)
        if plan.searching and method.alone:
            epochs, trained = method.epochs_each(problem.recipe.method), count * trained_alone(problem)
            yield PlannedWork("train alone", passes, trained, epochs, epochs * problem.steps_per_epoch, "alone")
        elif plan.epochs:
            name = "search" if plan.searching else f"warm-up {depth + 1}"
            yield PlannedWork(name, passes, count, plan.epochs, plan.epochs * problem.steps_per_epoch, "step", depth)
        if plan.searching:
            times = -(-evaluated_batches(problem) // held_out_batches(problem))
            kind: Step | None = None if method.alone else "evaluation"
            looked = evaluating(problem, count * self._leaf_images())
            yield PlannedWork("evaluate", looked, count, 0, times, kind, depth)
        elif scored := scored_passes(problem, depth):
            yield PlannedWork(f"compare {depth + 1}", count * scored, count, 0, scored, "comparison", depth)

    def _leaf_images(self) -> int:
        """The held-out images that it takes to derive an architecture."""
        batches = held_out_batches(self.problem)
        return -(-evaluated_batches(self.problem) * len(self.problem.valid) // batches)

    def _panel_images(self) -> int:
        """Held-out images that the leaves' panels are evaluated on."""
        recipe, trust = self.problem.recipe, self.problem.recipe.trust
        epochs = 0 if self.problem.method.alone else min(trust.panel_epochs, recipe.search.epochs)
        each = epochs * trust.panel * min(trust.panel_images, len(self.problem.valid))
        return self.most_tasks() * each

    def most_tasks(self) -> int:
        return self._nodes(self.splits)

    def _nodes(self, depth: int) -> int:
        return nodes_at(self.problem.recipe, self.problem.space, depth)
