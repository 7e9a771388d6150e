"""Runs every row of an experiment for every seed; what is there already is continued, or read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cleave.config import Raw, load, put
from cleave.engine.engine import ONE, Engine
from cleave.engine.progress import Callback
from cleave.errors import UserError, brief, refuse_repeats
from cleave.reproduce.experiment import Budget, Experiment, ExperimentRow, Figures
from cleave.run.origin import newest_meta
from cleave.search.schedule import uses_warmup
from cleave.settings import Recipe
from cleave.split.splitters import SPLITTERS


@dataclass(frozen=True)
class Finding:
    """One run: its row and seed, its figures by measure, its wall seconds, its environment."""

    row: ExperimentRow
    seed: int
    figures: Figures
    seconds: float
    environment: Mapping[str, Any]

    @property
    def run(self) -> tuple[str, int]:
        """What distinguishes its run from others; rows may be views of the same one."""
        return self.row.run or self.row.name, self.seed


@dataclass(frozen=True)
class Grid:
    """An experiment at a budget: which rows and seeds, and what else goes into the recipes (data.root, benchmark)."""

    experiment: Experiment
    budget: Budget
    rows: Sequence[ExperimentRow]
    seeds: Sequence[int]
    flags: Mapping[str, Any]

    def recipe(self, row: ExperimentRow, seed: int) -> Recipe:
        """The recipe of one run; a budget that names its images has its reasons, else they are the row's."""
        sizes = self.experiment.sizes[self.budget]
        data = {"data.name": row.dataset}
        changes = {**data, **sizes.recipe(row.method), **self.experiment.changes, **row.changes}
        unused = {f"split.{key}" for key in SPLITTERS[changes["split.splitter"]].meaningless}
        raw: Raw = {}
        for key, value in changes.items():
            if key not in unused:
                put(raw, key, value)
        flags = {**self.flags, "seed": seed}
        recipe = load(Recipe, raw, (), flags)
        if uses_warmup(recipe):
            return recipe
        raw["split"].pop("warmup_epochs", None)
        return load(Recipe, raw, (), flags)

    def folder(self, out: Path, row: ExperimentRow, seed: int) -> Path:
        return out / "runs" / f"{slug(row.run or row.name)}-seed{seed}"

    def run(self, out: Path, callback: Callback, engine: Engine = ONE) -> Iterator[Finding]:
        """Seed by seed, so that an interrupted experiment has whole comparisons."""
        runs = [(row, seed) for seed in self.seeds for row in self.rows]
        for number, (row, seed) in enumerate(runs, start=1):
            callback.say(f"{number} of {len(runs)}: {row.name}, seed {seed}")
            folder = self.folder(out, row, seed)
            seconds = self.experiment.perform(folder, self.recipe(row, seed), self.budget, callback, engine)
            figures = self.experiment.measure(folder, row)
            yield Finding(row, seed, figures, seconds, newest_meta(folder)["origin"]["environment"])


class Named(Protocol):
    @property
    def name(self) -> str: ...


NamedRow = TypeVar("NamedRow", bound=Named)


def chosen_rows(rows: Sequence[NamedRow], only: Sequence[str]) -> list[NamedRow]:
    """The rows whose name contains one of `only` as whole words, whatever the capitals; all where it is empty."""
    refuse_repeats("--only", map(str.lower, only))
    wanted = [re.compile(rf"(?<!\w){re.escape(part)}(?!\w)", re.IGNORECASE) for part in only]
    found = [row for row in rows if not only or any(pattern.search(row.name) for pattern in wanted)]
    if not found:
        names = "; ".join(row.name for row in rows)
        raise UserError(f"--only {brief(', '.join(only))}: no row has that in its name; there are {names}")
    return found


def slug(name: str) -> str:
    """A name as a folder."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
