"""Figures with what is known about their spread, for JSON: None where undefined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleave.stats.bootstrap import DRAWS, block_length, interval
from cleave.stats.ranking import defined
from cleave.study.log import Numbers
from cleave.study.metrics import mean, mean_tau, resampled_taus, s_tau

Estimate = dict[str, Any]
"""{"value", "std" (ddof 0; None for a single one), "low", "high" (95 % bootstrap interval), "over": what was drawn}."""


def gt_tau_estimate(each: Sequence[Numbers], true: Numbers, seed: int) -> Estimate:
    """The mean GT-Tau of each instance's rankings [n, children], averaged over instances.

    Instances are drawn where there are several, else children.
    """
    values = np.array([mean_tau(scores, true) for scores in each])
    if len(values) > 1:
        return mean_estimate(values, seed, "instances")
    draws = resampled_taus(each[0], true, drawn(len(true), seed))
    return summary(values, middle(np.array([mean(taus) for taus in draws])), "children")


def s_tau_estimate(each: Sequence[Numbers], seed: int) -> Estimate:
    """S-Tau within each set of rankings [n, children], averaged over sets (those of one instance).

    Within one set children are drawn: a ranking that is drawn twice would agree with itself.
    """
    values = np.array([s_tau(scores) for scores in each])
    if len(values) > 1:
        return mean_estimate(values, seed, "instances")
    columns = each[0].T
    return summary(values, interval(lambda scores, _: s_tau(scores.T), columns, columns, seed), "children")


def drawn(count: int, seed: int) -> NDArray[np.int64]:
    """How often each of so many is drawn, by draw: the draws of `interval`."""
    random = np.random.default_rng(seed)
    return np.stack([np.bincount(random.integers(count, size=count), minlength=count) for _ in range(DRAWS)])


def mean_estimate(values: Numbers, seed: int, over: str) -> Estimate:
    """The mean of what was measured several times."""
    return summary(values, interval(lambda some, _: mean(some), values, values, seed), over)


def series_estimate(values: Numbers, seed: int) -> Estimate:
    """The mean of what was measured look after look: neighbours are drawn together, since they resemble each other."""
    block = block_length(len(values))
    return summary(values, interval(lambda some, _: mean(some), values, values, seed, block=block), "looks")


def simulated_estimate(values: Numbers) -> Estimate:
    """The mean of what was simulated [studies] or [studies, runs]; the interval holds 95 % of the studies."""
    return summary(values.reshape(-1), middle(values.reshape(len(values), -1).mean(axis=1)), "simulations")


def middle(values: Numbers) -> tuple[float, float]:
    """The bounds of the middle 95 % of those that are defined."""
    there = values[np.isfinite(values)]
    low, high = np.quantile(there, [0.025, 0.975]) if len(there) else (np.nan, np.nan)
    return float(low), float(high)


def summary(values: Numbers, bounds: tuple[float, float], over: str) -> Estimate:
    """Mean and deviation of those values that are defined, with given bounds."""
    low, high = map(defined, bounds)
    return {"value": defined(mean(values)), "std": deviation(values), "low": low, "high": high, "over": over}


def across(values: Sequence[float | None]) -> dict[str, float | None]:
    """{"mean", "std"} of one figure over instances."""
    numbers = np.array(values, dtype=np.float64)
    return {"mean": defined(mean(numbers)), "std": deviation(numbers)}


def deviation(values: Numbers) -> float | None:
    """ddof 0, of those that are defined; None of a single one, which says nothing about spread."""
    there = values[np.isfinite(values)]
    return float(there.std()) if len(there) > 1 else None
