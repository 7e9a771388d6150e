"""Slow, obvious versions of the metrics of the weight-sharing study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import nan, sqrt
from statistics import fmean

from tests.reference.ties import among_highest, best_of_highest, best_rank_of_highest, mid_ranks


def tau_b(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's tau-b, pair by pair."""
    agree = untied_one = untied_other = 0
    for i, j in combinations(range(len(one)), 2):
        left, right = sign(one[i] - one[j]), sign(other[i] - other[j])
        agree += left * right
        untied_one += left != 0
        untied_other += right != 0
    return agree / sqrt(untied_one * untied_other) if untied_one and untied_other else nan


def sign(value: float) -> int:
    return int(value > 0) - int(value < 0)


def s_tau(rankings: Sequence[Sequence[float]]) -> float:
    """The mean tau of each two."""
    return fmean(tau_b(one, other) for one, other in combinations(rankings, 2))


def tnr(scores: Sequence[float], true: Sequence[float], n: int) -> float:
    return best_rank_of_highest(scores, true, n)


def top_accuracy(scores: Sequence[float], true: Sequence[float], n: int) -> float:
    return best_of_highest(scores, true, n)


def own_places(accuracy: Sequence[Sequence[float]], columns: Sequence[int]) -> tuple[list[float], list[float]]:
    """Rank and share of the first place of one column in each row."""
    pairs = list(zip(accuracy, columns, strict=True))
    ranks = [mid_ranks(row)[column] for row, column in pairs]
    firsts = [among_highest(row, 1)[column] for row, column in pairs]
    return ranks, firsts


def expected(true: Sequence[float], n: int, measure: Callable[[Sequence[float], Sequence[float], int], float]) -> float:
    """The mean of a measure over all ways in which n children can come out on top."""
    count = len(true)
    tops: Iterable[tuple[int, ...]] = combinations(range(count), min(n, count))
    return fmean(measure([float(place in top) for place in range(count)], true, n) for top in tops)


def additive(rows: Sequence[Sequence[str]], true: Sequence[float]) -> list[float]:
    """The additive fit, found by setting each effect to what the others leave, again and again."""
    base = fmean(true)
    effects = [dict.fromkeys(column, 0.0) for column in zip(*rows, strict=True)]

    def fit(row: Sequence[str]) -> float:
        return base + sum(effect[name] for effect, name in zip(effects, row, strict=True))

    for _ in range(2000):
        for place, effect in enumerate(effects):
            for name in effect:
                rest = [value - fit(row) for row, value in zip(rows, true, strict=True) if row[place] == name]
                effect[name] += fmean(rest)
    return [fit(row) for row in rows]
