"""One alternative of each group within some room, by trying them all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from cleave.space.knapsack import ROUNDING, Numbers

Chosen = tuple[int, ...]


def all_within(values: Sequence[Numbers], costs: Sequence[Numbers], room: Numbers) -> list[tuple[float, Chosen]]:
    """Every choice with its value, the best first."""
    found = []
    for chosen in product(*(range(len(each)) for each in values)):
        taken = sum(costs[group][i] for group, i in enumerate(chosen))
        if (taken <= room + ROUNDING).all():
            found.append((sum(float(values[group][i]) for group, i in enumerate(chosen)), chosen))
    return sorted(found, reverse=True)
