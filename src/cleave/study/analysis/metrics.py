"""How well and how stably children are ranked, as measured in "Deeper Insights into Weight Sharing" (2001.01431).

Of scores and accuracies higher is better; ranks begin at 1, the best. NaN is returned where a figure is undefined.
Equals share their places (`cleave.stats.ties`): the paper's code ranks them in the order of the space.
"""

from __future__ import annotations

from math import fsum, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from cleave.stats.ties import best_of_highest, best_rank_of_highest
from cleave.study.record.log import Looks, Numbers
from cleave.study.record.truth import Truth

Figures = dict[str, float | None]
Signs = NDArray[np.float32]
"""Whole numbers as float32: matrix products of these are fast, and exact."""


def taus(scores: Numbers, true: Numbers) -> Numbers:
    """Kendall's tau-b of each row of `scores` [n, children] with `true` [children], or with its row [n, children].

    NaN for rows in which all are equal, or where there are fewer than two children.
    """
    pairs = zip(scores, np.broadcast_to(true, scores.shape), strict=True)
    return np.array([tau(signs(one), signs(other)) for one, other in pairs])


def tau(one: Signs, other: Signs) -> float:
    """The cosine of two matrices of signs, which is Kendall's tau-b."""
    length = sqrt(np.count_nonzero(one) * np.count_nonzero(other))
    return float(np.sum(one * other, dtype=np.float64)) / length if length else nan


def signs(scores: Numbers) -> Signs:
    """Which of each two children is better: -1, 0 or 1, [children, children]."""
    return np.sign(scores[:, np.newaxis] - scores).astype(np.float32)


def tau_pairs(scores: Numbers) -> Numbers:
    """Kendall's tau-b of each two of the n rows of `scores` [n, children]: [n (n - 1) / 2], the first's ones first."""
    flat = np.stack([signs(one).ravel() for one in scores])
    products = (flat @ flat.T).astype(np.float64)
    lengths, (first, second) = np.sqrt(np.diag(products)), np.triu_indices(len(flat), 1)
    return quotients(products[first, second], lengths[first] * lengths[second])


def resampled_taus(scores: Numbers, true: Numbers, counts: NDArray[np.int64]) -> Numbers:
    """Kendall's tau-b of each row of `scores` with `true` among children drawn with replacement: [draws, n].

    `counts` [draws, children]: how often each was drawn. A pair counts as often as it can be made up of them, so that
    its signs have to be found only once for all draws.
    """
    other, often = signs(true), counts.astype(np.float32)
    length = weighted(np.abs(other), often)
    columns = []
    for one in map(signs, scores):
        own = weighted(np.abs(one), often)
        columns.append(quotients(weighted(one * other, often), np.sqrt(own * length)))
    return np.stack(columns, axis=1)


def quotients(sums: Numbers, by: Numbers) -> Numbers:
    """NaN where there is nothing to divide by."""
    found: Numbers = np.divide(sums, by, out=np.full(by.shape, nan), where=by > 0)
    return found


def weighted(matrix: Signs, often: Signs) -> Numbers:
    """The sum of a matrix [children, children] in which each child is there so often: [draws]."""
    sums: Numbers = ((often @ matrix) * often).sum(axis=1, dtype=np.float64)
    return sums


def gt_taus(looks: Looks, truth: Truth) -> Numbers:
    """GT-Tau of each look [looks]: Kendall's tau-b of its accuracies with the truth."""
    return taus(looks.accuracy, truth.mean)


def mean_tau(scores: Numbers, true: Numbers) -> float:
    """The mean tau of rankings [n, children] with the truth [children]."""
    return mean(taus(scores, true))


def s_tau(scores: Numbers) -> float:
    """S-Tau: the mean tau of each two of the rankings [n, children] (see `tau_pairs` for the single ones)."""
    return mean(tau_pairs(scores))


def tnr(scores: Numbers, true: Numbers, n: int) -> float:
    """TnR: the best true rank among the n children [children] of the highest scores."""
    return best_rank_of_highest(scores, true, n)


def top_accuracy(scores: Numbers, true: Numbers, n: int) -> float:
    """The best true accuracy among the n children of the highest scores."""
    return best_of_highest(scores, true, n)


def regret(scores: Numbers, true: Numbers, n: int) -> float:
    """How much better (in units of `true`) the best is than the best of the n children of the highest scores."""
    return float(true.max()) - top_accuracy(scores, true, n)


def own_places(looks: Looks) -> tuple[Numbers, Numbers]:
    """The child that was just trained, in each look in which it is known: its rank, and its share of the first place.

    That is 1 for the best alone, 1 / k where k children share the first place, else 0. Both are [0] where it is never
    known or there is only one child.
    """
    places = {child: place for place, child in enumerate(looks.children)}
    pairs = zip(looks.accuracy, looks.trained, strict=True)
    known = [(row, row[places[child]]) for row, child in pairs if child in places and len(places) > 1]
    better = np.array([np.count_nonzero(row > own) for row, own in known], dtype=np.float64)
    equal = np.array([np.count_nonzero(row == own) for row, own in known], dtype=np.float64)
    return 1 + better + (equal - 1) / 2, np.where(better == 0, 1 / np.maximum(equal, 1), 0)


def spread(values: Numbers) -> Figures:
    """Mean, deviation (ddof 0; None of a single one), max and min of the values that are defined, and how many are."""
    there = values[np.isfinite(values)]
    if not len(there):
        return {"mean": None, "std": None, "max": None, "min": None, "n": 0}
    return {
        "mean": mean(there), "std": deviation(there), "max": float(there.max()), "min": float(there.min()),
        "n": len(there),
    }  # fmt: skip


def mean(values: Numbers) -> float:
    """Of those that are defined."""
    there = values[np.isfinite(values)]
    return fsum(there.tolist()) / len(there) if len(there) else nan


def deviation(values: Numbers) -> float | None:
    """ddof 0, of those that are defined; None of a single one, which says nothing about spread."""
    there = values[np.isfinite(values)]
    return float(there.std()) if len(there) > 1 else None
