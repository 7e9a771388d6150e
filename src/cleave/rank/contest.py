"""What can be known of a ranking before a network runs: who takes part, the truth, and what else predicts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cleave.errors import UserError, refuse_repeats
from cleave.method import METHODS
from cleave.rank.columns import BASELINES, Numbers, baselines
from cleave.rank.predictions import read_all
from cleave.rank.published import CORRELATIONS
from cleave.rank.question import RankQuestion
from cleave.rank.truth import Inputs, Truth, truth_for
from cleave.search.schedule import schedule
from cleave.settings import Recipe
from cleave.space import Arch, Space, find_space

SUPERNET = "supernet"
"""The name of the run's own row."""


@dataclass(frozen=True)
class Contest:
    """Architectures with their names, how they do alone, and what predicts that without the run."""

    truth: Truth
    names: Sequence[str]
    predictions: Mapping[str, Numbers]
    baselines: Mapping[str, Numbers]

    @property
    def archs(self) -> Sequence[Arch]:
        return self.truth.archs


def prepare(recipe: Recipe, question: RankQuestion, inputs: Inputs | None = None) -> Contest:
    """The contest that is asked for; UserError where recipe, table, files and question do not go together.

    `inputs`: those of the run; None before the search, where only what is wrong counts.
    """
    space = find_space(recipe.space)
    check_recipe(recipe, space, question)
    truth = truth_for(recipe, space, question, inputs)
    names = [space.format(arch) for arch in truth.archs]
    refuse_repeats("--predictions", [file.resolve() for file in question.predictions])
    given = read_all(question.predictions, names, (SUPERNET, *BASELINES, *CORRELATIONS))
    floors = {**baselines(truth.archs, truth.costs, question.seed), **truth.early}
    return Contest(truth, names, given, floors)


def more_cycles(recipe: Recipe, question: RankQuestion) -> str:
    return f" and search.cycles={question.average}" if recipe.search.cycles > 1 else ""


def check_recipe(recipe: Recipe, space: Space, question: RankQuestion) -> None:
    """UserError for a run of which there is nothing to rank, or not as asked."""
    if not (space.tabulated or question.truth or question.alone):
        raise UserError(
            f"space.name={space.name}: has no table of trained accuracies to rank against; give --truth FILE.csv, or "
            "--sample N --alone EPOCHS to train some alone"
        )
    if METHODS[recipe.method.name].alone:
        raise UserError(f"method.name={recipe.method.name}: shares no weights; rank a run of another method")
    kept = len(schedule(recipe, recipe.split.splits or 0).kept(recipe.search.snapshots))
    if question.average > kept:
        raise UserError(
            f"--average {question.average}: of each leaf {kept} snapshots are kept; "
            f"give at most that, or search with search.snapshots={question.average}{more_cycles(recipe, question)}"
        )
