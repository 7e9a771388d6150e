"""The slow, obvious twin of `cleave.split.partition`: every assignment of candidates to parts is tried."""

from __future__ import annotations

from functools import cache
from itertools import product


@cache
def all_balanced(count: int, parts: int) -> set[tuple[tuple[int, ...], ...]]:
    found = set()
    for labels in product(range(parts), repeat=count):
        groups = [tuple(i for i in range(count) if labels[i] == part) for part in range(parts)]
        sizes = sorted(len(group) for group in groups)
        if sizes[0] >= count // parts and sizes[-1] <= -(-count // parts):
            found.add(tuple(sorted(groups)))
    return found


def cost(matrix: list[list[float]], groups: tuple[tuple[int, ...], ...]) -> float:
    home = {i: number for number, group in enumerate(groups) for i in group}
    n = len(matrix)
    return sum(matrix[i][j] for i in range(n) for j in range(i + 1, n) if home[i] != home[j])


def minimum(matrix: list[list[float]], parts: int) -> float:
    return min(cost(matrix, groups) for groups in all_balanced(len(matrix), parts))
