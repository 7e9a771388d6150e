"""Slow, obvious versions of what is done about ties: every way to choose among equals is tried."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from statistics import fmean


def mid_ranks(scores: Sequence[float]) -> list[float]:
    """The mean of the places that a score takes in a list from the best to the worst."""
    listed = sorted(scores, reverse=True)
    return [fmean(place for place, other in enumerate(listed, start=1) if other == score) for score in scores]


def tops(scores: Sequence[float], count: int) -> list[tuple[int, ...]]:
    """All sets of so many places of which none is worse than any left out."""
    places = range(len(scores))
    return [
        top for top in combinations(places, min(count, len(scores)))
        if all(scores[one] >= scores[other] for one in top for other in places if other not in top)
    ]  # fmt: skip


def among_highest(scores: Sequence[float], count: int) -> list[float]:
    ways = tops(scores, count)
    return [fmean(place in top for top in ways) for place in range(len(scores))]


def best_of_highest(scores: Sequence[float], values: Sequence[float], count: int) -> float:
    return fmean(max(values[place] for place in top) for top in tops(scores, count))


def best_rank_of_highest(scores: Sequence[float], true: Sequence[float], count: int) -> float:
    """The mean over all tops and all orders of the truth."""
    places = range(len(true))
    orders = [
        order for order in permutations(places)
        if all(true[order[place]] >= true[order[place + 1]] for place in places[:-1])
    ]  # fmt: skip
    return fmean(1 + min(order.index(place) for place in top) for top in tops(scores, count) for order in orders)


def precision(predicted: Sequence[float], true: Sequence[float], count: int) -> float:
    """The mean overlap of a predicted and a true top, chosen independently."""
    pairs = [(one, other) for one in tops(predicted, count) for other in tops(true, count)]
    return fmean(len({*one} & {*other}) for one, other in pairs) / count
