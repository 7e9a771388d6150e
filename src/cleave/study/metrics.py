"""How well and how stably children are ranked, as measured in "Deeper Insights into Weight Sharing" (2001.01431).

Of scores and accuracies higher is better; ranks begin at 1, the best. NaN is returned where a figure is undefined.
"""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from cleave.study.log import Looks, Numbers
from cleave.study.truth import Truth

Figures = dict[str, float | None]
Ranks = NDArray[np.int64]
Signs = NDArray[np.float32]
"""Whole numbers, which matrix products are fastest on, and exact for, as such."""


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
    columns = [cosines(signs(one), other, often, length) for one in scores]
    return np.stack(columns, axis=1)


def cosines(one: Signs, other: Signs, often: Signs, length: Numbers) -> Numbers:
    """`tau` in each draw, NaN where undefined: [draws]. `length`: the square of that of `other`."""
    return quotients(weighted(one * other, often), np.sqrt(weighted(np.abs(one), often) * length))


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


def ranks(scores: Numbers) -> Ranks:
    """Ranks in each row of `scores` [..., children]; equals are ranked in the order given."""
    return np.argsort(best_first(scores), axis=-1) + 1


def best_first(scores: Numbers) -> NDArray[np.intp]:
    """Positions from the best to the worst, equals in the order given."""
    return np.argsort(-scores, axis=-1, kind="stable")


def tnr(scores: Numbers, true: Numbers, n: int) -> int:
    """TnR: the best true rank among the n children [children] of the highest scores."""
    return int(ranks(true)[best_first(scores)[:n]].min())


def top_accuracy(scores: Numbers, true: Numbers, n: int) -> float:
    """The best true accuracy among the n children of the highest scores."""
    return float(true[best_first(scores)[:n]].max())


def regret(scores: Numbers, true: Numbers, n: int) -> float:
    """How much better (in units of `true`) the best is than the best of the n children of the highest scores."""
    return float(true.max()) - top_accuracy(scores, true, n)


def own_ranks(looks: Looks) -> Ranks:
    """The rank of the child that was just trained, in each look in which it is known.

    Children that are as good as it do not count as better. [0] where it is never known or there is but one child.
    """
    places = {child: place for place, child in enumerate(looks.children)}
    known = [(row, places[child]) for row, child in zip(looks.accuracy, looks.trained, strict=True) if child in places]
    alone = len(places) < 2
    return np.array([] if alone else [1 + (row > row[place]).sum() for row, place in known], dtype=np.int64)


def spread(values: Numbers) -> Figures:
    """Mean, deviation (ddof 0), max and min of the values that are defined, and how many these are."""
    there = values[np.isfinite(values)]
    if not len(there):
        return {"mean": None, "std": None, "max": None, "min": None, "n": 0}
    return {
        "mean": float(there.mean()), "std": float(there.std()), "max": float(there.max()), "min": float(there.min()),
        "n": len(there),
    }  # fmt: skip


def mean(values: Numbers) -> float:
    """Of those that are defined."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")
