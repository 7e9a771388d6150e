"""The tree that splitting grows (GM-NAS, algorithm 1): every node is trained, and then split or searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cleave.search.problem import Problem
from cleave.search.schedule import schedule
from cleave.search.state import State
from cleave.search.task import Task, TaskResult, node_task
from cleave.search.work import (
    PlannedWork,
    Step,
    comparing,
    evaluating,
    held_out_batches,
    looks_at,
    nodes_at,
    training,
)
from cleave.split import Node, Tree
from cleave.split.splitters import SPLITTERS


class TreeStage:
    """Nodes are merged level by level. Children are begun as soon as their parent is done, merged or not."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.splits = problem.recipe.split.splits or 0

    def tasks(self, state: State, found: Mapping[str, TaskResult]) -> Iterator[Task]:
        tree = self._foreseen(state, found)
        kept = state.kept | {label: each for result in found.values() for label, each in result.kept.items()}
        nodes = [node for node in tree.nodes.values() if not node.finished]
        kind = SPLITTERS[self.problem.recipe.split.splitter]
        splittable = {choice.name for choice in kind.divides(self.problem.space)}
        for node in sorted(nodes, key=lambda node: (len(node.path), node.path)):
            yield node_task(node, tree, kept, splittable)

    def _foreseen(self, state: State, found: Mapping[str, TaskResult]) -> Tree:
        """The tree as it will be once all that is found is merged: what nodes can be trained is seen from it.

        It shares the nodes of the state, but for those that become others.
        """
        tree = Tree(self.problem.space.region)
        tree.nodes = dict(state.tree.nodes)
        while nodes := [node for node in tree.nodes.values() if not node.finished and node.label in found]:
            for node in nodes:
                settled = tree.nodes[node.path] = replace(node)
                self._settle(tree, settled, found[node.label])
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
        return [*self.planned_levels(), *self.planned_mixtures(), *self.planned_panels()]

    def planned_panels(self) -> list[PlannedWork]:
        """That the ranking of each leaf's panel is followed."""
        recipe, trust = self.problem.recipe, self.problem.recipe.trust
        if self.problem.method.alone or not trust.panel:
            return []
        count = self.most_tasks() * min(trust.panel_epochs, schedule(recipe, self.splits).epochs)
        each = min(trust.panel_images, len(self.problem.valid)) + self.problem.judging.images
        images = count * trust.panel * each
        return [PlannedWork("panels", evaluating(self.problem, images), count, 0, 1, "panel", self.splits)]

    def planned_mixtures(self) -> list[PlannedWork]:
        """That the leaves' supernets are evaluated, where they have one."""
        if self.problem.method.alone:
            return []
        leaves, batches = self.most_tasks(), held_out_batches(self.problem)
        images = leaves * (len(self.problem.valid) + batches * self.problem.judging.images)
        return [PlannedWork("mixture", evaluating(self.problem, images), leaves, 0, 1, "mixture", self.splits)]

    def planned_search(self) -> list[PlannedWork]:
        """The search itself, without what is only told beside its result."""
        chosen_by = self.planned_mixtures() if self.problem.recipe.selection.by_mixture else []
        return [*self.planned_levels(), *chosen_by]

    def planned_levels(self) -> Iterator[PlannedWork]:
        """Training, splitting and the evaluation of architectures."""
        problem, method, settings = self.problem, self.problem.method, self.problem.recipe.method
        for depth in range(self.splits + 1):
            plan, count = schedule(problem.recipe, depth), nodes_at(problem.recipe, problem.space, depth)
            passes = count * training(problem, depth)
            if plan.searching and method.alone:
                epochs, trained = method.epochs_each(settings), count * method.evaluated(settings, 1)
                yield PlannedWork("train alone", passes, trained, epochs, epochs * problem.steps_per_epoch, "alone")
            elif plan.epochs:
                name = "search" if plan.searching else f"warm-up {depth + 1}"
                steps = plan.epochs * problem.steps_per_epoch
                yield PlannedWork(name, passes, count, plan.epochs, steps, "step", depth)
            if plan.searching:
                batches = held_out_batches(problem)
                evaluated = method.evaluated(settings, batches)
                times, images = -(-evaluated // batches), -(-evaluated * len(problem.valid) // batches)
                kind: Step | None = None if method.alone else "evaluation"
                yield PlannedWork("evaluate", evaluating(problem, count * images), count, 0, times, kind, depth)
                yield from self.planned_calibration(count, depth)
            elif looks := looks_at(problem, depth):
                compared = comparing(problem, count * looks)
                yield PlannedWork(f"compare {depth + 1}", compared, count, 0, looks, "comparison", depth)

    def planned_calibration(self, count: int, depth: int) -> Iterator[PlannedWork]:
        """That the statistics of the architectures of so many leaves are measured, if so.

        As many passes as if architectures had nothing in common: they take fewer where they begin alike.
        """
        problem, method = self.problem, self.problem.method
        if images := problem.judging.images:
            asked = method.questions(problem.recipe.method, held_out_batches(problem))
            kind: Step | None = None if method.alone else "calibration"
            yield PlannedWork("calibrate", evaluating(problem, count * asked * images), count, 0, asked, kind, depth)

    def most_tasks(self) -> int:
        return nodes_at(self.problem.recipe, self.problem.space, self.splits)
