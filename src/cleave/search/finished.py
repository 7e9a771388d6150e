"""A finished run, read: its images, its tree, and the weights of its leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.data.given import Given
from cleave.engine.environment import compare
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.extensions import check_unchanged
from cleave.net import Network, build
from cleave.resolve import resolve_device
from cleave.run.folder import RESULT, RunFiles
from cleave.run.generations import Record
from cleave.run.origin import CHECKPOINTS, SEARCH, check_recipe, read_origin
from cleave.run.outcome import check_written
from cleave.run.resumable import unfinished
from cleave.run.view import is_finished, newest_saved
from cleave.search.problem import Problem, open_problem
from cleave.search.runner import environment, recipe_of
from cleave.search.schedule import schedule
from cleave.search.state import State
from cleave.settings import Recipe
from cleave.space import Arch
from cleave.split import Node


@dataclass(frozen=True)
class FinishedRun:
    """A run whose leaves are trained. Nothing of it is changed."""

    problem: Problem
    folder: RunFiles
    state: State

    def holders(self, archs: Sequence[Arch]) -> list[Node]:
        """The trained leaf that holds each architecture; UserError where there is none."""
        found = []
        for arch in archs:
            text = self.problem.space.format(arch)
            leaf = next((leaf for leaf in self.state.tree.leaves if arch in leaf.region), None)
            if leaf is None:
                raise UserError(f"architecture {text}: no leaf of {self.folder.path} holds it; start the run again")
            if leaf.empty:
                raise UserError(
                    f"architecture {text}: lies in leaf {leaf.label}, which has no connected architecture and was not "
                    "trained; give --connected to leave such ones out"
                )
            found.append(leaf)
        return found

    def networks(self, leaf: Node, average: int) -> list[Network]:
        """The leaf's network at the ends of its last `average` epochs or cycles, the last one last."""
        *before, _ = schedule(self.problem.recipe, len(leaf.path)).kept(average)
        labels = [*(f"{leaf.label}@{epoch}" for epoch in before), leaf.label]
        return [self._network(leaf, self.folder.leaf(label, self.state.kept[label])) for label in labels]

    def _network(self, leaf: Node, record: Record) -> Network:
        problem = self.problem
        network = build(problem.layout, leaf.region, problem.classes, 0, device=problem.recipe.device)
        network.load_state_dict(record.weights)
        return network


def read_recipe(path: Path, flags: dict[str, Any]) -> Recipe:
    """The recipe of a finished run, with its flags changed; UserError where there is none."""
    origin = read_origin(path, SEARCH)
    check_recipe(path, origin)
    if not is_finished(path):
        raise unfinished(path)
    check_written(path, newest_saved(path)["finished"], (RESULT,))
    check_unchanged(origin.environment.get("extensions", {}), None, lambda line: None)
    return recipe_of(origin, flags)


def open_finished(path: Path, recipe: Recipe, callback: Callback, given: Given | None = None) -> FinishedRun:
    """A finished run with its images; UserError where something of it is damaged or not its own."""
    here = {"device": resolve_device(recipe.device), "benchmark": None}  # a table may lack what is not ranked
    problem = open_problem(recipe.model_copy(update=here), callback, given)
    origin = read_origin(path, SEARCH)
    compare(origin.environment, environment(problem), problem.recipe.data.name, path, callback)
    state = State.from_json(newest_saved(path)["search"], path / CHECKPOINTS)
    return FinishedRun(problem, RunFiles(path, origin.identity), state)
