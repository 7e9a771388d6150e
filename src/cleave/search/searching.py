"""A search as work in tasks: its nodes, and the architectures that are trained alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cleave.data.images import Images
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.run.folder import RunFiles
from cleave.search.perform import perform
from cleave.search.problem import Problem
from cleave.search.task import Task, TaskResult


class SearchJob:
    """The work of a search in a run folder."""

    def __init__(self, problem: Problem, files: RunFiles) -> None:
        self.problem, self.files = replace(problem, table=None), files  # tasks need no table, which is large

    @property
    def run(self) -> Path:
        return self.files.path

    @property
    def threads(self) -> int:
        return self.problem.recipe.threads

    @property
    def device(self) -> str:
        return self.problem.recipe.device

    @property
    def sizes(self) -> str:
        return ", ".join(self.problem.smaller_by)

    @property
    def images(self) -> Iterable[Images]:
        return self.problem.train, self.problem.valid

    def perform(self, task: Task, stop: Stop, callback: Callback) -> TaskResult:
        return perform(self.problem, task, self.files, stop, callback)
