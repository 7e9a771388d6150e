"""How long a search takes in all, whatever its tree."""

from __future__ import annotations

from itertools import accumulate
from operator import mul

from cleave.resolve import resolve
from cleave.search.schedule import schedule
from cleave.settings import Recipe
from cleave.space import find_space


def epochs(recipe: Recipe) -> int:
    """Of all nodes of the tree."""
    space = find_space(recipe.space)
    resolved, _ = resolve(recipe, space)
    split = resolved.split
    parts = split.branch if isinstance(split.branch, list) else []
    if split.splitter == "exhaustive":
        assert isinstance(split.choice, list)
        parts = [len(space.region.allowed[choice]) for choice in split.choice]
    nodes = [1, *accumulate(parts, mul)]
    assert len(nodes) == (split.splits or 0) + 1
    return sum(count * schedule(resolved, depth).epochs for depth, count in enumerate(nodes))
