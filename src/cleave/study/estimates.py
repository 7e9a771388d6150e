"""Figures with what is known about their spread, for JSON: None where undefined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cleave.stats.bootstrap import interval
from cleave.stats.ranking import defined
from cleave.study.log import Numbers
from cleave.study.metrics import mean, mean_tau, s_tau

Estimate = dict[str, Any]
"""{"value", "std" (ddof 0; None for a single one), "low", "high" (95 % bootstrap interval), "over": what was drawn}."""


def gt_tau_estimate(each: Sequence[Numbers], true: Numbers, seed: int) -> Estimate:
    """The mean GT-Tau of each instance's rankings [n, children], averaged over instances."""
    return estimate(each, true, mean_tau, seed)


def s_tau_estimate(each: Sequence[Numbers], seed: int) -> Estimate:
    """S-Tau within each set of rankings [n, children], averaged over sets.

    Within one set children are drawn: a ranking that is drawn twice would agree with itself.
    """
    return estimate(each, each[0][0], lambda scores, _: s_tau(scores), seed)


def estimate(
    each: Sequence[Numbers], true: Numbers, measure: Callable[[Numbers, Numbers], float], seed: int
) -> Estimate:
    """A measure of rankings [n, children] and the truth [children], averaged over the instances in `each`.

    Instances are drawn where there are several, else children.
    """
    values = np.array([measure(scores, true) for scores in each])
    if len(values) > 1:
        return mean_estimate(values, seed, "instances")
    bounds = interval(lambda scores, drawn: measure(scores.T, drawn), each[0].T, true, seed)
    return summary(values, bounds, "children")


def mean_estimate(values: Numbers, seed: int, over: str) -> Estimate:
    """The mean of what was measured several times."""
    return summary(values, interval(lambda drawn, _: mean(drawn), values, values, seed), over)


def simulated_estimate(values: Numbers) -> Estimate:
    """The mean of what was simulated [studies] or [studies, runs]; the interval holds 95 % of the studies."""
    low, high = np.quantile(values.reshape(len(values), -1).mean(axis=1), [0.025, 0.975])
    return summary(values.reshape(-1), (float(low), float(high)), "simulations")


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
