"""The splitter that a resolved recipe asks for."""

from __future__ import annotations

from cleave.settings import Recipe
from cleave.split.splitters import (
    Chooser,
    Exhaustive,
    GivenChoice,
    GradientMatching,
    Racing,
    Random,
    Splitter,
    any_choice,
    lowest_cut,
)

KINDS: dict[str, type[Exhaustive] | type[Random]] = {"exhaustive": Exhaustive, "random": Random}
RULES: dict[str, type[GradientMatching] | type[Racing]] = {"exact": GradientMatching, "race": Racing}
CHOOSERS: dict[str, Chooser] = {"lowest": lowest_cut, "random": any_choice}


def make_splitter(recipe: Recipe, depth: int) -> Splitter:
    """The splitter of the nodes at a depth of the tree."""
    choice = recipe.split.choice
    chooser = GivenChoice(choice[depth]) if isinstance(choice, list) else CHOOSERS[choice or "random"]
    if recipe.split.splitter == "gradient":
        return RULES[recipe.split.rule or "exact"](chooser)
    return KINDS[recipe.split.splitter](chooser)


def parts_at(recipe: Recipe, depth: int) -> int:
    """The number of groups of a split at that depth; 2, the least there can be, where every candidate is alone."""
    branch = recipe.split.branch
    return branch[depth] if isinstance(branch, list) else 2
