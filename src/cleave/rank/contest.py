"""What can be known of a ranking before a network runs: who takes part, the truth, and what else predicts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch

from cleave.bench.table import DATASETS, dataset_of, need
from cleave.data.chance import Chance
from cleave.errors import UserError, named, refuse_repeats
from cleave.method import METHODS
from cleave.rank.columns import BASELINES, Numbers, baselines, place
from cleave.rank.predictions import read_all
from cleave.rank.published import CORRELATIONS
from cleave.rank.question import RankQuestion
from cleave.settings import Recipe
from cleave.space import Arch, Space, find_space

SUPERNET = "supernet"
"""The name of the run's own row."""


@dataclass(frozen=True)
class Contest:
    """Architectures with their names, true test accuracies (percent), and what predicts those without the run."""

    space: Space
    dataset: str
    archs: Sequence[Arch]
    names: Sequence[str]
    true: Numbers
    predictions: Mapping[str, Numbers]
    baselines: Mapping[str, Numbers]


def prepare(recipe: Recipe, question: RankQuestion) -> Contest:
    """The contest that is asked for; UserError where recipe, table, files and question do not go together."""
    space = find_space(recipe.space)
    check_recipe(recipe, space, question)
    dataset = dataset_of(recipe.data.name)
    if question.dataset:
        dataset = named("--dataset", question.dataset, {each: each for each in DATASETS})
    table = need(question.benchmark or (Path(recipe.benchmark) if recipe.benchmark else None))
    archs = chosen(space, question)
    names = [space.format(arch) for arch in archs]
    places = [place(table, name) for name in names]
    refuse_repeats("--predictions", [file.resolve() for file in question.predictions])
    given = read_all(question.predictions, names, (SUPERNET, *BASELINES, *CORRELATIONS))
    floors = baselines(space, archs, table, dataset, places, question.seed)
    true = table.accuracies(dataset, "test")[places].astype(np.float64)  # for scoring only: nothing is chosen by it
    return Contest(space, dataset, archs, names, true, given, floors)


def check_recipe(recipe: Recipe, space: Space, question: RankQuestion) -> None:
    """UserError for a run of which there is nothing to rank, or not as asked."""
    if not space.tabulated:
        raise UserError(f"space.name={space.name}: has no table of trained accuracies to rank against; rank another")
    if METHODS[recipe.method.name].alone:
        raise UserError(f"method.name={recipe.method.name}: shares no weights; rank a run of another method")
    kept = min(recipe.search.snapshots, recipe.search.epochs)
    if question.average > kept:
        raise UserError(
            f"--average {question.average}: of each leaf {kept} snapshots are kept; "
            f"give at most that, or search with search.snapshots={question.average}"
        )


def chosen(space: Space, question: RankQuestion) -> list[Arch]:
    """All architectures, or a seeded sample without replacement, in the space's own order."""
    archs = architectures(space, question.connected)
    if question.sample is None:
        return archs
    if question.sample > len(archs):
        kind = "connected architectures" if question.connected else "architectures"
        raise UserError(f"--sample {question.sample}: there are {len(archs)} {kind}; give at most that")
    drawn = torch.randperm(len(archs), generator=Chance(question.seed, "rank").generator("sample"))
    return [archs[position] for position in sorted(drawn[: question.sample].tolist())]


def architectures(space: Space, connected: bool) -> list[Arch]:
    """Every architecture of the space; `connected`: only those that compute something."""
    allowed = space.region.allowed
    archs = (dict(zip(allowed, names, strict=True)) for names in product(*allowed.values()))
    return [arch for arch in archs if not connected or space.valid(arch)]
