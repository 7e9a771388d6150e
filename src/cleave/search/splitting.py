"""The splitter that a resolved recipe asks for."""

from __future__ import annotations

from cleave.settings import Recipe
from cleave.split.splitters import SPLITTERS, Splitter


def splitter_of(recipe: Recipe) -> type[Splitter]:
    """Its class, which tells what there is to know of it before it runs."""
    return SPLITTERS[recipe.split.splitter]


def make_splitter(recipe: Recipe, depth: int) -> Splitter:
    """The splitter of the nodes at a depth of the tree."""
    return splitter_of(recipe).of(recipe.split, depth)


def parts_at(recipe: Recipe, depth: int) -> int:
    """The number of groups of a split at that depth; 2, the least there can be, where every candidate is alone."""
    branch = recipe.split.branch
    return branch[depth] if isinstance(branch, list) else 2
