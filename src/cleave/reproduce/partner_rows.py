"""The experiment on partners: does an architecture do better next to one with similar gradients?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cleave.engine.engine import PROCESS, Engine
from cleave.engine.environment import compare
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.reproduce.budgets import SIZES, Length, Sizes
from cleave.reproduce.experiment import Budget, Experiment, ExperimentRow, Figures, Published, begun
from cleave.reproduce.partners import FIGURES, Setup, Trial, trials
from cleave.resolve import resolve
from cleave.run.folder import make_folder
from cleave.run.generations import Generations, Record
from cleave.run.lock import RunLock
from cleave.run.origin import CHECKPOINTS, TRIALS, Origin, begin, newest_meta, read_origin, settle
from cleave.run.reading import Timing, shaped
from cleave.search.problem import Problem, open_problem
from cleave.search.runner import environment
from cleave.settings import Recipe
from cleave.space import find_space

PUBLISHED = {
    "similar": {
        "similarity": Published(0.76, 0.17),
        "train_loss": Published(0.74, 0.18),
        "valid_loss": Published(0.86, 0.10),
    },
    "dissimilar": {
        "similarity": Published(0.12, 0.06),
        "train_loss": Published(0.82, 0.03),
        "valid_loss": Published(0.99, 0.03),
    },
}
COUNTS = {"tiny": (2, 3), "small": (12, 12), "paper": (50, 24)}
"""Architectures, and how many partners of each are tried."""


def table2(sizes: Sizes) -> list[ExperimentRow]:
    """Two views of the same trials."""
    return [
        ExperimentRow(f"beside a {kind} partner", "rsps", {"split.splitter": "gradient"}, published, run="pairs")
        for kind, published in PUBLISHED.items()
    ]


def perform(folder: Path, recipe: Recipe, budget: Budget, callback: Callback, engine: Engine) -> float:
    """Architecture by architecture, in this process; what is there already is not done again."""
    if engine.name != PROCESS:
        raise UserError(f"--engine {engine.name}: this experiment runs in one process; leave --engine out")
    architectures, tries = COUNTS[budget]
    lengths = {"warm": recipe.split.warmup_epochs, "epochs": recipe.search.epochs}
    setup = Setup(architectures=architectures, tries=tries, **lengths)
    recipe, _ = resolve(recipe, find_space(recipe.space))
    problem = open_problem(recipe, callback)
    make_folder(folder)
    with RunLock(folder), callback.stop as stop:
        origin = opened(folder, recipe, problem, callback)
        found, before = kept(folder)
        began = time.monotonic()
        checkpoints = Generations(folder / CHECKPOINTS, origin.owner)
        for more in trials(problem, setup, stop.check, done=len(found)):
            found.append(more)
            seconds = before + time.monotonic() - began
            meta = {"origin": origin.to_json(), "architectures": found, "seconds": seconds}
            checkpoints.commit(Record({}, {}, meta))
            callback.say(f"{len(found)} of {architectures} architectures")
    return kept(folder)[1]


def opened(folder: Path, recipe: Recipe, problem: Problem, callback: Callback) -> Origin:
    """What the trials in a folder were begun as, now where there are none; UserError where the images are others."""
    now = environment(problem)
    if not begun(folder, recipe, TRIALS):
        origin = Origin(TRIALS, recipe.model_dump(mode="json"), now)
        begin(folder, origin, {"architectures": [], "seconds": 0.0})
        return origin
    origin = read_origin(folder, TRIALS)
    settle(folder, origin, callback.say)
    compare(origin.environment, now, recipe.data.name, folder, callback)
    return origin


class KeptRow(Timing):
    """meta.json of a checkpoint of trials, in addition to its origin."""

    architectures: list[list[dict[str, Any]]]


def kept(folder: Path) -> tuple[list[list[Trial]], float]:
    """The trials of each architecture so far, and the seconds that they took."""
    saved = shaped(folder / CHECKPOINTS, KeptRow, newest_meta(folder))
    found: list[list[Trial]] = saved["architectures"]
    seconds: float = saved["seconds"]
    return found, seconds


def figures(folder: Path, row: ExperimentRow) -> Figures:
    """A figure for every architecture; None where it has no partner of the row's kind."""
    kind = next(kind for kind in PUBLISHED if kind in row.name.split())
    ends: list[Mapping[str, Any] | None] = [
        next((trial for trial in found if trial["kind"] == kind and trial["train_loss"] is not None), None)
        for found in kept(folder)[0]
    ]
    return {figure: [None if end is None else end[figure] for end in ends] for figure in FIGURES}


def lengths(budget: str) -> Sizes:
    """The budget's sizes with the experiment's own epochs: 2 of warm-up in 20 (GM-NAS, appendix B.2)."""
    sizes = SIZES[budget]
    epochs = Length(1, 2) if budget == "tiny" else Length(2, 20)
    images = {"small": {"data.limit": 2000}}.get(budget, {})
    return replace(sizes.changed(images), lengths={"rsps": epochs})


PARTNERS = [
    Experiment(
        "table2",
        "An architecture trained beside a similar or a dissimilar partner",
        "GM-NAS, Table 2 and appendix B.2",
        "cosine, cross entropy, % right",
        table2,
        figures,
        perform=perform,
        searches=False,
        looks_up=False,
        sizes={budget: lengths(budget) for budget in SIZES},
        seeds={"tiny": (0,), "small": (0,), "paper": (0,)},
        compare=(("beside a similar partner", "beside a dissimilar partner"),),
        notes=(
            "n counts architectures. Similar: cosine above .7, dissimilar: below .3 after two epochs, as in the paper. "
            "A partner that differs on an edge that leads nowhere computes the same and counts as similar.",
        ),
    )
]
