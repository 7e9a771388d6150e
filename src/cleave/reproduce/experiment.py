"""What an experiment is: rows that are searched for every seed, and what is measured of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cleave.engine.engine import Engine
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.reproduce.budgets import SIZES, Sizes
from cleave.resolve import resolve
from cleave.run.origin import SEARCH, holds, read_origin
from cleave.search.runner import recipe_of, resume, start
from cleave.settings import Recipe
from cleave.space import find_space

Budget = Literal["tiny", "small", "paper"]
BUDGETS: tuple[Budget, ...] = ("tiny", "small", "paper")


@dataclass(frozen=True)
class Published:
    """A figure of the paper, with its standard deviation where it gives one."""

    mean: float
    sd: float | None = None


@dataclass(frozen=True)
class ExperimentRow:
    """One kind of run: its method, what it changes in the budget's recipe, and what the paper found, by measure.

    `dataset` is the one that images come from and accuracies are looked up for. Rows of the same `run` are views of
    one run; without it a row has its own. `figure` says which view, where the experiment has several.
    """

    name: str
    method: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Published] = field(default_factory=dict)
    dataset: str = "cifar10"
    run: str = ""
    figure: str = ""


Figures = Mapping[str, Sequence[float | None]]
"""By measure what a run found: one figure, or several of the same kind; None where one is not defined."""

Measure = Callable[[Path, ExperimentRow], Figures]
"""The figures of a finished run folder."""

Perform = Callable[[Path, Recipe, Budget, Callback, Engine], float]
"""Runs what a recipe says in a folder, or goes on there, or sees that it is done; returns the seconds that it took."""


def search(folder: Path, recipe: Recipe, budget: Budget, callback: Callback, engine: Engine) -> float:
    """What most experiments perform."""
    go_on = begun(folder, recipe)
    result = resume(folder, callback, engine) if go_on else start(recipe, folder, callback, engine)
    seconds: float = result["seconds"]
    return seconds


def begun(folder: Path, recipe: Recipe, kind: str = SEARCH) -> bool:
    """Whether the folder holds a run of this recipe; UserError where it is of another (of an older budget, say)."""
    if not holds(folder, kind):
        return False
    resolved, _ = resolve(recipe, find_space(recipe.space))
    if essence(recipe_of(read_origin(folder, kind), {})) != essence(resolved):
        raise UserError(f"{folder}: was run by another recipe; give --out a new folder")
    return True


def essence(recipe: Recipe) -> Recipe:
    """A recipe without paths, device and where images are kept, which do not change a figure noticeably."""
    data = recipe.data.model_copy(update={"root": None, "storage": "auto"})
    return recipe.model_copy(update={"data": data, "benchmark": None, "device": "cpu"})


@dataclass(frozen=True)
class Experiment:
    """A table, figure or question of the paper (or about it).

    `rows` may depend on the lengths of a budget. `perform` is what a run is, `measure` what is told of it; `changes`
    are common to all rows. `compare` are pairs of rows whose difference is of interest, in `compared` measures (none
    named: in all). `sizes` are the budgets of the experiment, `seeds` the usual ones of each. `searches`: whether a run
    is a search, so that it can be planned. `looks_up`: whether what is measured is looked up in the table of trained
    accuracies.
    """

    name: str
    title: str
    source: str
    unit: str
    rows: Callable[[Sizes], list[ExperimentRow]]
    measure: Measure
    changes: Mapping[str, Any] = field(default_factory=dict)
    perform: Perform = search
    sizes: Mapping[str, Sizes] = field(default_factory=lambda: SIZES)
    compare: tuple[tuple[str, str], ...] = ()
    compared: tuple[str, ...] = ()
    seeds: Mapping[Budget, tuple[int, ...]] = field(
        default_factory=lambda: {"tiny": (0,), "small": (0, 1, 2), "paper": (0, 1, 2, 3)}
    )
    notes: tuple[str, ...] = ()
    searches: bool = True
    looks_up: bool = True
