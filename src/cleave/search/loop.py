"""A search: its stages, one after the other, whose tasks are done by an executor and merged in one order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cleave.engine.executor import Executor, SerialExecutor
from cleave.engine.overview import Overview
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.errors import Interrupted
from cleave.guards import Watch
from cleave.run.alarm import Alarm, tell
from cleave.run.durable import write_json
from cleave.run.folder import EVENTS, TIMING, TREE, RunFolder
from cleave.run.generations import Record
from cleave.run.task_folder import path_of, remove_last_tasks, remove_tasks
from cleave.search.problem import Problem
from cleave.search.result import outcome
from cleave.search.searching import SearchJob
from cleave.search.stages import Stage, stages_of
from cleave.search.state import SearchCost, State, tree_to_json
from cleave.search.task import Task, TaskResult
from cleave.search.watching import run_opened
from cleave.search.work import passes_done
from cleave.split import Tree

SAVED_SHARE = 0.01
"""A checkpoint holds all that is merged: it is written once this share more is, so that thousands of nodes do not write
the square of their number. Up to a hundred tasks each merge is saved."""


class Search:
    """A search in a run folder. Whatever ends it, `run` on a Search with the same folder goes on and ends the same."""

    def __init__(self, problem: Problem, folder: RunFolder, stop: Stop, callback: Callback) -> None:
        self.problem, self.folder, self.stop = problem, folder, stop
        self.overview, self.stages = Overview(callback), stages_of(problem)
        self.state = State(Tree(problem.space.region))
        self.found: dict[str, TaskResult] = {}
        """By label, of tasks that are finished and wait for one before them to be merged."""
        self.begun: set[str] = set()
        self.ready: Iterator[Task] = iter(())
        """What could be begun when it was last looked for."""
        self.looked_for: Stage | None = None
        """The stage whose tasks these are; None once more of them may have become ready."""
        self.unsaved: list[str] = []
        """The labels of tasks that are merged since the last checkpoint; their own folders are still there."""
        if (saved := folder.newest(callback.say).meta["search"]) is not None:
            self.state = State.from_json(saved, folder.generations.folder)
            folder.check_leaves(self.state.kept)
        else:
            Watch(problem.recipe.guards.off, self._told).look(run_opened(problem))
        self.waiting = {"cost": SearchCost(), "control": SearchCost()}
        """Of all tasks in `found`."""
        self.overview.finished = self._passes()
        merged = self._merged()
        self.merges = len(merged)
        remove_tasks(folder.path, merged)

    def _told(self, alarm: Alarm) -> None:
        """Keeps and tells what a guard says before the first step."""
        self.state.raised.append(alarm)
        tell(alarm, self.folder.events, self.overview.callback.say)

    def run(self, executor: Executor[Task, TaskResult] | None = None) -> dict[str, Any]:
        """The outcome, of tasks done by an executor; raises Interrupted, with everything saved, when asked to stop."""
        executor = executor or SerialExecutor(SearchJob(self.problem, self.folder.files), self.stop, self.overview)
        try:
            while (stage := self._stage) is not None:
                self._begin(stage, executor)
                self._take(*executor.finished())
        except Interrupted:
            self._write_beside()
            raise
        self._save()
        remove_last_tasks(self.folder.path, self._merged())
        return outcome(self.problem, self.state)

    def finish(self, result: dict[str, Any]) -> None:
        """Writes the outcome into the folder; UserError where weights were lost meanwhile: the outcome is kept then."""
        self.folder.finish(self._known, result, {TREE: tree_to_json(self.state.tree)})
        self.folder.check_leaves(self.state.kept)

    @property
    def _known(self) -> Record:
        """What its checkpoints hold."""
        return Record({}, {}, self.state.to_json())

    @property
    def _stage(self) -> Stage | None:
        """The first one that is not finished."""
        return next((stage for stage in self.stages if stage.next(self.state) is not None), None)

    def _begin(self, stage: Stage, executor: Executor[Task, TaskResult]) -> None:
        """Has begun what there is room for."""
        while executor.has_room and (task := self._next_ready(stage)) is not None:
            self.begun.add(task.label)
            executor.begin(task)

    def _next_ready(self, stage: Stage) -> Task | None:
        """A task that nobody has begun. What is ready is looked for anew only where none is left of the last time.

        That takes as long as there are nodes.
        """
        while (task := next((each for each in self.ready if each.label not in self.begun), None)) is None:
            if self.looked_for is stage:
                return None
            self.ready, self.looked_for = iter(stage.tasks(self.state, self.found)), stage
        return task

    def _take(self, task: Task, found: TaskResult) -> None:
        """Keeps what was found in a task, and merges it once it is its turn."""
        self.found[task.label], self.looked_for = found, None
        self.waiting = {name: each + getattr(found, name) for name, each in self.waiting.items()}
        while (stage := self._stage) is not None and (label := stage.next(self.state)) in self.found:
            self._merge(stage, label)
        self.overview.finish(task.label, self._passes())

    def _merge(self, stage: Stage, label: str) -> None:
        found = self.found.pop(label)
        self.waiting = {name: each - getattr(found, name) for name, each in self.waiting.items()}
        stage.merge(self.state, label, found)
        self.state.raised += found.raised
        self.folder.events.append(path_of(self.folder.path, label) / EVENTS, found.events)
        self.merges += 1
        self.unsaved.append(label)
        if len(self.unsaved) >= SAVED_SHARE * self.merges:
            self._save()

    def _save(self) -> None:
        """From here the search goes on as if nothing had happened."""
        if not self.unsaved:
            return
        self.folder.save(self._known)
        write_json(self.folder.path / TIMING, self.folder.timing)
        remove_tasks(self.folder.path, self.unsaved)
        self.unsaved = []

    def _write_beside(self) -> None:
        """What is for people only, and may be long."""
        write_json(self.folder.path / TREE, tree_to_json(self.state.tree))
        write_json(self.folder.path / TIMING, self.folder.timing)

    def _passes(self) -> int:
        """Of all tasks that are finished, merged or not."""
        return sum(passes_done(self.problem, getattr(self.state, name) + each) for name, each in self.waiting.items())

    def _merged(self) -> list[str]:
        """The labels of all tasks that need not be done any more."""
        return [label for stage in self.stages for label in stage.merged(self.state)]
