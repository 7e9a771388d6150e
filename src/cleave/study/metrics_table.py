"""Rankings by supernets, baselines and the noise ceiling, measured alike and in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from cleave.stats.ranking import defined
from cleave.study.baselines import RANDOM, baselines, expected
from cleave.study.ceiling import Ceiling
from cleave.study.log import Log, Numbers
from cleave.study.metrics import gt_tau_interval, mean, mean_interval, regret, taus, tnr, top_accuracy
from cleave.study.rankings import rankings, see
from cleave.study.truth import Truth

Row = dict[str, Any]
TOP = (1, 3)
"""How many of the highest scores are looked at."""


def table(log: Log, truth: Truth, ceiling: Ceiling | None, seed: int) -> list[Row]:
    """A row for each ranking under each kind of statistics, for each baseline, and for the ceiling.

    {"name", "of": "ranking" | "baseline" | "ceiling", "statistics", "instances", "gt_tau": {"value", "std", "low",
    "high", "over"}, "t1r", "t3r", "regret1", "regret3" (percentage points), "top1", "top3" (percent), "tied": how many
    share the highest score}: means over instances, `std` (ddof 0) across them. `over` says over what the 95 %
    bootstrap interval was drawn: instances where there are several, else children. The random row has "expected",
    what is true on average, exactly.
    """
    return [*supernet_rows(log, truth, seed), *baseline_rows(log, truth, seed), *ceiling_rows(ceiling, seed)]


def supernet_rows(log: Log, truth: Truth, seed: int) -> Iterable[Row]:
    for kind in log.statistics:
        for name, scores in rankings(see(log, kind)).items():
            figures = gt_tau(scores, truth, seed)
            yield row(name, "ranking", scores, truth.mean, figures, statistics=kind)


def baseline_rows(log: Log, truth: Truth, seed: int) -> Iterable[Row]:
    for name, scores in baselines(log, truth, seed).items():
        each = scores[np.newaxis]
        known = {"expected": expected(truth.mean)} if name == RANDOM else {}
        yield row(name, "baseline", each, truth.mean, gt_tau(each, truth, seed), **known)


def ceiling_rows(ceiling: Ceiling | None, seed: int) -> Iterable[Row]:
    """One run against the others, which is the honest ceiling, and against the mean of all."""
    if ceiling is None:
        return
    children = ceiling.runs.shape[-1]
    for name, honest, true in (
        ("one run, against the others", True, ceiling.others),
        ("one run, against all", False, ceiling.everyone),
    ):
        figures = ceiling_tau(ceiling, true, seed)
        runs, held_against = ceiling.runs.reshape(-1, children), true.reshape(-1, children)
        yield row(name, "ceiling", runs, held_against, figures, honest=honest, simulated=ceiling.simulated)


def row(
    name: str, of: str, scores: Numbers, true: Numbers, gt_tau: Row, statistics: str | None = None, **more: Any
) -> Row:
    """`scores` [instances, children] held against `true` [children], or [instances, children]."""
    pairs = list(zip(scores, np.broadcast_to(true, scores.shape), strict=True))

    def average(measure: Callable[[Numbers, Numbers, int], float], n: int) -> float:
        return float(np.mean([measure(one, other, n) for one, other in pairs]))

    return {
        "name": name,
        "of": of,
        "statistics": statistics,
        "instances": len(scores),
        "gt_tau": gt_tau,
        **{f"t{n}r": average(tnr, n) for n in TOP},
        **{f"regret{n}": average(regret, n) for n in TOP},
        **{f"top{n}": average(top_accuracy, n) for n in TOP},
        "tied": int(max((one == one.max()).sum() for one in scores)),
        **more,
    }


def gt_tau(scores: Numbers, truth: Truth, seed: int) -> Row:
    """GT-Tau of rankings [instances, children]: mean, deviation, interval over instances or, of one, over children."""
    values = taus(scores, truth.mean)
    if len(values) > 1:
        return estimate(values, mean_interval(values, seed), "instances")
    return estimate(values, gt_tau_interval(scores, truth, seed), "children")


def ceiling_tau(ceiling: Ceiling, true: Numbers, seed: int) -> Row:
    """GT-Tau of single runs; its interval is over the runs, or over whole simulated studies."""
    values = np.array([taus(runs, others) for runs, others in zip(ceiling.runs, true, strict=True)])
    if ceiling.simulated:
        low, high = np.quantile(values.mean(axis=1), [0.025, 0.975])
        return estimate(values.reshape(-1), (float(low), float(high)), "simulations")
    return estimate(values[0], mean_interval(values[0], seed), "runs")


def estimate(values: Numbers, bounds: tuple[float, float], over: str) -> Row:
    """A mean for JSON: {"value", "std", "low", "high", "over"}, None where undefined."""
    there = values[np.isfinite(values)]
    low, high = map(defined, bounds)
    std = float(there.std()) if len(there) else None
    return {"value": defined(mean(values)), "std": std, "low": low, "high": high, "over": over}
