"""Rankings by supernets, baselines and the noise ceiling, measured alike and in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from cleave.stats.ties import shared_first
from cleave.study.analysis.baselines import RANDOM, baselines, expected
from cleave.study.analysis.ceiling import Ceiling
from cleave.study.analysis.estimates import Estimate, gt_tau_estimate, mean_estimate, simulated_estimate
from cleave.study.analysis.metrics import regret, taus, tnr, top_accuracy
from cleave.study.analysis.rankings import rankings
from cleave.study.record.log import Log, Numbers
from cleave.study.record.truth import Truth
from cleave.study.record.views import see

Row = dict[str, Any]
TOP = (1, 3)
"""How many of the highest scores are looked at."""


def table(log: Log, truth: Truth, ceiling: Ceiling | None, seed: int) -> list[Row]:
    """A row for each ranking under each kind of statistics, for each baseline, and for the ceiling.

    {"name", "of": "ranking" | "baseline" | "ceiling", "statistics", "instances", "gt_tau": an `Estimate`, "t1r",
    "t3r", "regret1", "regret3" (percentage points), "top1", "top3" (percent): means over instances, "tied": how many
    children share the highest score at most; the figures are means over all ways to choose among equals}. The random
    row has "expected": what is true on average, exactly. Rows of the ceiling say "honest" and "simulated"; their
    instances are runs.
    """
    return [*supernet_rows(log, truth, seed), *baseline_rows(log, truth, seed), *ceiling_rows(ceiling, seed)]


def supernet_rows(log: Log, truth: Truth, seed: int) -> Iterable[Row]:
    for kind in log.statistics:
        for name, scores in rankings(see(log, kind)).items():
            gt_tau = gt_tau_estimate(list(scores[:, np.newaxis]), truth.mean, seed)
            what = {"name": name, "of": "ranking", "statistics": kind, "instances": len(scores)}
            yield {**what, **measured(scores, truth.mean, gt_tau)}


def baseline_rows(log: Log, truth: Truth, seed: int) -> Iterable[Row]:
    for name, scores in baselines(log, truth, seed).items():
        each = scores[np.newaxis]
        what = {"name": name, "of": "baseline", "statistics": None, "instances": 1}
        known = {"expected": expected(truth.mean)} if name == RANDOM else {}
        yield {**what, **measured(each, truth.mean, gt_tau_estimate([each], truth.mean, seed)), **known}


def ceiling_rows(ceiling: Ceiling | None, seed: int) -> Iterable[Row]:
    """One run against the others, which is the honest ceiling, and against the mean of all.

    The interval of its GT-Tau is over the runs, or over whole simulated studies.
    """
    if ceiling is None:
        return
    _, runs, children = ceiling.runs.shape
    for name, honest, true in (
        ("one run, against the others", True, ceiling.others),
        ("one run, against all", False, ceiling.everyone),
    ):
        what = {"name": name, "of": "ceiling", "statistics": None, "instances": runs}
        marks = {"honest": honest, "simulated": ceiling.simulated}
        values = np.array([taus(run, others) for run, others in zip(ceiling.runs, true, strict=True)])
        tau = simulated_estimate(values) if ceiling.simulated else mean_estimate(values[0], seed, "runs")
        figures = measured(ceiling.runs.reshape(-1, children), true.reshape(-1, children), tau)
        yield {**what, **figures, **marks}


def measured(scores: Numbers, true: Numbers, gt_tau: Estimate) -> Row:
    """The figures of rankings [instances, children] compared with `true` [children], or [instances, children]."""
    pairs = list(zip(scores, np.broadcast_to(true, scores.shape), strict=True))

    def average(measure: Callable[[Numbers, Numbers, int], float], n: int) -> float:
        return float(np.mean([measure(one, other, n) for one, other in pairs]))

    return {
        "gt_tau": gt_tau,
        **{f"t{n}r": average(tnr, n) for n in TOP},
        **{f"regret{n}": average(regret, n) for n in TOP},
        **{f"top{n}": average(top_accuracy, n) for n in TOP},
        "tied": max(map(shared_first, scores)),
    }
