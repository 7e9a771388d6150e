"""The slow, obvious twin of `cleave.stats.kendall`: pair by pair."""

from __future__ import annotations

from itertools import combinations
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray


def kendall(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The definition: concordant minus discordant pairs, over the geometric mean of the pairs that are not tied."""
    signs = [(np.sign(one[i] - one[j]), np.sign(other[i] - other[j])) for i, j in combinations(range(len(one)), 2)]
    untied = [sum(sign[side] != 0 for sign in signs) for side in (0, 1)]
    return float(sum(a * b for a, b in signs)) / sqrt(untied[0] * untied[1]) if all(untied) else nan


def inversions(values: NDArray[np.integer]) -> int:
    return sum(int(before > after) for before, after in combinations(values.tolist(), 2))
