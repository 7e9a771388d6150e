"""The slow, obvious twins of `cleave.split.cuts`: every assignment is tried, and eigenvectors come from scipy."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from scipy.linalg import eigh

Groups = tuple[tuple[int, ...], ...]
Matrix = list[list[float]]


@cache
def all_partitions(count: int, parts: int) -> set[Groups]:
    found = set()
    for labels in product(range(parts), repeat=count):
        groups = [tuple(i for i in range(count) if labels[i] == part) for part in range(parts)]
        if all(groups):
            found.add(tuple(sorted(groups)))
    return found


def affinity(cosines: Matrix, i: int, j: int) -> float:
    return 0.0 if i == j else (1 + cosines[i][j]) / 2


def cut(cosines: Matrix, group: tuple[int, ...]) -> float:
    """What leaves the group."""
    return sum(affinity(cosines, i, j) for i in group for j in range(len(cosines)) if j not in group)


def volume(cosines: Matrix, group: tuple[int, ...]) -> float:
    return sum(affinity(cosines, i, j) for i in group for j in range(len(cosines)))


def plain_cost(cosines: Matrix, groups: Groups) -> float:
    return sum(cut(cosines, group) for group in groups) / 2


def normalised_cost(cosines: Matrix, groups: Groups) -> float:
    return sum(cut(cosines, group) / volume(cosines, group) for group in groups)


def halve(cosines: Matrix) -> Groups:
    """The best division along the second solution of (D - W) y = lambda D y (Shi & Malik, 2000, eq. 11)."""
    n = len(cosines)
    weights = np.array([[affinity(cosines, i, j) for j in range(n)] for i in range(n)])
    degrees = np.diag(weights.sum(axis=1))
    line = np.argsort(eigh(degrees - weights, degrees)[1][:, 1]).tolist()
    tried = [tuple(sorted((tuple(sorted(line[:k])), tuple(sorted(line[k:]))))) for k in range(1, n)]
    return min(tried, key=lambda groups: normalised_cost(cosines, groups))
