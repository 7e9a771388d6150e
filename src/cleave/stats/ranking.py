"""How well predictions order architectures: rank correlations, precision of the best, regret.

All functions take `predicted` and `true`, [n] finite numbers of which higher is better, and return NaN where the
figure is undefined. Ties neither flatter nor harm: tau-b and Spearman's mean ranks treat them symmetrically, and places
among the best are shared (`cleave.stats.ties`). Only where correlations are among the true best alone, equals at the
cut are taken in the order given, as the literature does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleave.stats.bootstrap import interval
from cleave.stats.kendall import kendall
from cleave.stats.ties import Numbers, among_highest, best_of_highest, mid_ranks

Statistic = Callable[[Numbers, Numbers], float]

TOP_PERMILLE = {"0.2": 2, "0.5": 5, "1": 10, "5": 50, "10": 100}
"""The shares of the true best that are looked at alone: in percent as people write it, and in thousandths."""
PRECISION_AT = (10, 50, 100)
REGRET_OF = (1, 10, 100)


def score(predicted: Numbers, true: Numbers, seed: int) -> dict[str, Any]:
    """All figures of a prediction, None where undefined.

    {"kendall" and "spearman": {"value", "low", "high"} (95 % bootstrap interval, seeded),
    "top": {percent: {"count", "kendall", "spearman"}}, "precision": {k: share}, "regret": {n: difference in `true`}}.
    """
    return {
        "kendall": with_interval(kendall, predicted, true, seed),
        "spearman": with_interval(spearman, predicted, true, seed),
        "top": {name: among_top(predicted, true, len(true) * share // 1000) for name, share in TOP_PERMILLE.items()},
        "precision": {str(k): defined(precision(predicted, true, k)) for k in PRECISION_AT},
        "regret": {str(n): defined(regret(predicted, true, n)) for n in REGRET_OF},
    }


def spearman(predicted: Numbers, true: Numbers) -> float:
    """Spearman's rho: the correlation of the ranks, ties sharing their mean rank; undefined for a constant."""
    middle = (len(true) + 1) / 2  # the mean of ranks, exactly
    one, other = mid_ranks(predicted) - middle, mid_ranks(true) - middle
    lengths = np.sqrt((one @ one) * (other @ other))
    return float(np.clip(one @ other / lengths, -1, 1)) if lengths > 0 else nan


def precision(predicted: Numbers, true: Numbers, k: int) -> float:
    """The share (0 to 1) of the k predicted best that are among the k true best; undefined for fewer than k.

    Of equals at either cut the mean over all ways to choose.
    """
    return float(among_highest(predicted, k) @ among_highest(true, k)) / k if k <= len(true) else nan


def regret(predicted: Numbers, true: Numbers, n: int) -> float:
    """How much better the best is than the best of the n predicted best, in units of `true`; undefined for fewer.

    Of equal predictions the mean over all ways to choose.
    """
    return float(true.max()) - best_of_highest(predicted, true, n) if n <= len(true) else nan


def among_top(predicted: Numbers, true: Numbers, count: int) -> dict[str, Any]:
    """The rank correlations among the `count` true best alone, undefined for fewer than two."""
    best = true_order(true)[:count]
    return {
        "count": count,
        "kendall": defined(kendall(predicted[best], true[best])),
        "spearman": defined(spearman(predicted[best], true[best])),
    }


def true_order(true: Numbers) -> NDArray[np.intp]:
    """Positions from the best to the worst, ties in the order given."""
    return np.argsort(-true, kind="stable")


def with_interval(
    statistic: Statistic, predicted: Numbers, true: Numbers, seed: int, block: int = 1
) -> dict[str, float | None]:
    """A statistic with its 95 % interval (see `interval` for `block`), None where undefined."""
    low, high = interval(statistic, predicted, true, seed, block=block)
    return {"value": defined(statistic(predicted, true)), "low": defined(low), "high": defined(high)}


def defined(value: float) -> float | None:
    """The number, or None for NaN, which JSON does not have."""
    return value if isfinite(value) else None
