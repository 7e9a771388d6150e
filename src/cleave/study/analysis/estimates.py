"""Figures with what is known about their spread, for JSON: None where undefined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleave.stats.bootstrap import DRAWS, block_length, interval
from cleave.stats.ranking import defined
from cleave.study.analysis.metrics import deviation, mean, mean_tau, resampled_taus, s_tau, tau_pairs, taus
from cleave.study.record.log import Numbers

Estimate = dict[str, Any]
"""{"value", "std" (ddof 0; None for a single one), "low", "high" (95 % bootstrap interval), "over": what was drawn,
"defined", "of": in how many of the single figures (taus of looks, of pairs of looks) it is defined, the others having
no part in it}."""


def gt_tau_estimate(each: Sequence[Numbers], true: Numbers, seed: int) -> Estimate:
    """The mean GT-Tau of each instance's rankings [n, children], averaged over instances.

    Instances are drawn where there are several, else children.
    """
    known = known_of([taus(scores, true) for scores in each])
    values = np.array([mean_tau(scores, true) for scores in each])
    if len(values) > 1:
        return {**mean_estimate(values, seed, "instances"), **known}
    draws = resampled_taus(each[0], true, drawn(len(true), seed))
    return {**summary(values, middle(np.array([mean(taus) for taus in draws])), "children"), **known}


def s_tau_estimate(each: Sequence[Numbers], seed: int) -> Estimate:
    """S-Tau within each set of rankings [n, children], averaged over sets (those of one instance).

    Within one set children are drawn: a ranking that is drawn twice would agree with itself.
    """
    known = known_of([tau_pairs(scores) for scores in each])
    values = np.array([s_tau(scores) for scores in each])
    if len(values) > 1:
        return {**mean_estimate(values, seed, "instances"), **known}
    columns = each[0].T
    bounds = interval(lambda scores, _: s_tau(scores.T), columns, columns, seed)
    return {**summary(values, bounds, "children"), **known}


def drawn(count: int, seed: int) -> NDArray[np.int64]:
    """How often each of `count` is drawn, draw by draw: the draws of `interval`."""
    random = np.random.default_rng(seed)
    return np.stack([np.bincount(random.integers(count, size=count), minlength=count) for _ in range(DRAWS)])


def mean_estimate(values: Numbers, seed: int, over: str) -> Estimate:
    """The mean of what was measured several times."""
    there = values[np.isfinite(values)]
    bounds = interval(lambda some, _: mean(some), there, there, seed)
    return {**summary(values, bounds, over), **known_of([values])}


def series_estimate(values: Numbers, seed: int) -> Estimate:
    """The mean of what was measured look after look: neighbours are drawn together, since they resemble each other."""
    several = np.isfinite(values).sum() > 1
    block = block_length(len(values))
    bounds = interval(lambda some, _: mean(some), values, values, seed, block=block) if several else (np.nan, np.nan)
    return {**summary(values, bounds, "looks"), **known_of([values])}


def simulated_estimate(values: Numbers) -> Estimate:
    """The mean of what was simulated [studies] or [studies, runs]; the interval holds 95 % of the studies."""
    studies = np.array([mean(study) for study in values.reshape(len(values), -1)])
    return {**summary(values.reshape(-1), middle(studies), "simulations"), **known_of([values])}


def middle(values: Numbers) -> tuple[float, float]:
    """The bounds of the middle 95 % of those that are defined; NaN for fewer than two."""
    there = values[np.isfinite(values)]
    low, high = np.quantile(there, [0.025, 0.975]) if len(there) > 1 else (np.nan, np.nan)
    return float(low), float(high)


def summary(values: Numbers, bounds: tuple[float, float], over: str) -> Estimate:
    """Mean and deviation of those values that are defined, with given bounds."""
    low, high = map(defined, bounds)
    return {"value": defined(mean(values)), "std": deviation(values), "low": low, "high": high, "over": over}


def known_of(figures: Sequence[Numbers]) -> dict[str, int]:
    """How many of all figures are defined."""
    return {
        "defined": int(sum(np.isfinite(values).sum() for values in figures)),
        "of": sum(values.size for values in figures),
    }


def across(values: Sequence[float | None]) -> dict[str, float | None]:
    """{"mean", "std"} of one figure over instances."""
    numbers = np.array(values, dtype=np.float64)
    return {"mean": defined(mean(numbers)), "std": deviation(numbers)}
