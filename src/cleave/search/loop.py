"""The search (GM-NAS, algorithm 1): visit every node of the tree that splitting grows, then the control.

Visits and trials are tasks that may be done at the same time. What they find is merged strictly in one order, the
tree's and then the control's, whatever order they end in: so all that a search leaves behind is the same, byte for
byte, for any number of processes.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from cleave.engine.executor import Executor, SerialExecutor
from cleave.engine.overview import Overview
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.errors import Interrupted
from cleave.run.folder import EVENTS, RunFolder
from cleave.run.task_folder import path_of, remove_last_tasks, remove_tasks
from cleave.search.control import plan_control
from cleave.search.problem import Problem
from cleave.search.result import outcome
from cleave.search.searching import SearchJob
from cleave.search.state import State, tree_to_json
from cleave.search.task import StandaloneTask, Task, TaskResult, node_task
from cleave.search.trainer import Standalone
from cleave.search.work import passes_done
from cleave.split import Node, Tree


class Search:
    """A search in a run folder. Whatever ends it, `run` on a Search with the same folder goes on and ends the same."""

    def __init__(self, problem: Problem, folder: RunFolder, stop: Stop, callback: Callback) -> None:
        self.problem, self.folder, self.stop = problem, folder, stop
        self.overview = Overview(callback)
        self.state = State.new(problem.space.region)
        self.found: dict[str, TaskResult] = {}
        """By label, of tasks that are finished and wait for one before them to be merged."""
        self.begun: set[str] = set()
        if (saved := folder.newest(callback.say)["search"]) is not None:
            self._restore(saved)
        remove_tasks(folder.path, self._merged())

    def run(self, executor: Executor[Task, TaskResult] | None = None) -> dict[str, Any]:
        """The outcome, of tasks done by an executor; raises Interrupted, with everything saved, when asked to stop."""
        executor = executor or SerialExecutor(SearchJob(self.problem, self.folder.files), self.stop, self.overview)
        try:
            while tasks := self._open():
                self._begin(tasks, executor)
                self._take(*executor.finished())
        except Interrupted:
            self.folder.write_seconds()
            raise
        remove_last_tasks(self.folder.path, self._merged())
        return outcome(self.problem, self.state)

    def finish(self, result: dict[str, Any]) -> None:
        """Writes the outcome into the folder; UserError where weights were lost meanwhile: the outcome is kept then."""
        self.folder.finish(self.state.to_json(), tree_to_json(self.state.tree), result)
        self.folder.check_leaves(self.state.kept)

    def _open(self) -> list[Task]:
        """The tasks that can be done now and are not finished, those that are merged first at the front."""
        tree = self._foreseen()
        kept = self.state.kept | {label: each for found in self.found.values() for label, each in found.kept.items()}
        nodes = [node for node in tree.nodes.values() if not node.finished]
        if nodes:
            return [node_task(node, tree, kept) for node in sorted(nodes, key=lambda node: (len(node.path), node.path))]
        return [trial for trial in self._trials() if trial.label not in self.found]

    def _foreseen(self) -> Tree:
        """The tree as it will be once all that is finished is merged: what nodes can be visited is seen from it."""
        tree = deepcopy(self.state.tree)
        while found := [node for node in tree.nodes.values() if not node.finished and node.label in self.found]:
            for node in found:
                self._settle(tree, node, self.found[node.label])
        return tree

    def _trials(self) -> list[StandaloneTask]:
        """The control's architectures that are not merged."""
        control = plan_control(self.problem, self.state)
        trials = [
            StandaloneTask(Standalone(control_label(i), arch), control.epochs)
            for i, arch in enumerate(control.architectures)
        ]
        return trials[len(self.state.accuracies) :]

    def _begin(self, tasks: list[Task], executor: Executor[Task, TaskResult]) -> None:
        for task in tasks:
            if task.label not in self.begun and executor.has_room:
                self.begun.add(task.label)
                executor.begin(task)

    def _take(self, task: Task, found: TaskResult) -> None:
        """Keeps what was found in a task, and merges it once it is its turn."""
        self.found[task.label] = found
        while (label := self._next()) in self.found:
            self._merge(label, self.found.pop(label))
        self.overview.finish(task.label, self._passes())

    def _next(self) -> str:
        """The task whose turn it is to be merged."""
        node = self.state.tree.next_open()
        return control_label(len(self.state.accuracies)) if node is None else node.label

    def _merge(self, label: str, found: TaskResult) -> None:
        node = self.state.tree.next_open()
        if node is None:
            self.state.control += found.cost
            self.state.accuracies |= found.accuracies
        else:
            self.state.cost += found.cost
            self.state.control += found.control
            self.state.kept |= found.kept
            self._settle(self.state.tree, node, found)
        self.folder.events.append(path_of(self.folder.path, label) / EVENTS, found.events)
        self._save()
        remove_tasks(self.folder.path, [label])

    def _settle(self, tree: Tree, node: Node, found: TaskResult) -> None:
        """Divides a node, or gives it its result."""
        if found.split is None:
            node.result = found.result
        else:
            tree.grow(node, found.split, self.problem.space.holds_valid)

    def _passes(self) -> int:
        """Of all tasks that are finished, merged or not."""
        cost = sum((found.cost for found in self.found.values()), self.state.cost)
        control = sum((found.control for found in self.found.values()), self.state.control)
        return passes_done(self.problem, cost) + passes_done(self.problem, control)

    def _merged(self) -> list[str]:
        """The labels of all tasks that need not be done any more."""
        nodes = [node.label for node in self.state.tree.nodes.values() if node.finished]
        return nodes + [control_label(number) for number in range(len(self.state.accuracies))]

    def _save(self) -> None:
        """Commits a generation from which the search goes on as if nothing had happened."""
        self.folder.save(self.state.to_json())
        self.folder.write_tree(tree_to_json(self.state.tree))
        self.folder.write_seconds()

    def _restore(self, saved: dict[str, Any]) -> None:
        self.state = State.from_json(saved, self.folder.generations.folder)
        self.folder.check_leaves(self.state.kept)
        self.overview.finished = self._passes()


def control_label(number: int) -> str:
    """Of an architecture of the control; its random numbers go by it."""
    return f"control {number}"
