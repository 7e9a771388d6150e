"""What rankings under shared weights are good for: dropping the bad (2001.01431, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cleave.stats.ties import among_highest, mid_ranks
from cleave.study.record.log import Log, Numbers
from cleave.study.record.views import see

AGGREGATED = (1, 2, 5, 10, 20, 64, 128)
"""Over how many successive looks ranks are averaged."""

BEST = 10
"""How many of the truly best are to be kept, at most a quarter of all."""


def pruning(log: Log, truth: Numbers, statistics: str | None = None) -> dict[str, Any] | None:
    """How well looks tell the truly worst [children], by how many are averaged; None without dense looks.

    {"children", "worst", "kept", "best": how many, "instances", "rows": [{"aggregated", "recall": of the worst quarter
    among those ranked worst, 0 to 1, "best_kept" and "worst_dropped": shares, 0 to 1, where the better half is kept,
    "last": the same three at the last looks alone, "windows": how many were averaged}], "chance": the same three of a
    ranking at random}. Equals share their places.
    """
    found = [looks.accuracy for looks in see(log, statistics).dense]
    if not found:
        return None
    children, looks = len(truth), min(len(accuracy) for accuracy in found)
    worst, kept, best = sizes(children)
    counts = [count for count in AGGREGATED if count <= looks]
    return {
        "children": children, "worst": worst, "kept": kept, "best": best, "instances": len(found),
        "rows": [aggregated(found, truth, count) for count in counts],
        "chance": named(outcome(np.zeros(children), truth)),
    }  # fmt: skip


def sizes(children: int) -> tuple[int, int, int]:
    """The truly worst to be found (a quarter), those kept (half) and the truly best among them (10, or a quarter)."""
    quarter = max(children // 4, 1)
    return quarter, max(children // 2, 1), min(BEST, quarter)


def aggregated(found: list[Numbers], truth: Numbers, count: int) -> dict[str, Any]:
    """One row: means over all windows of that many successive looks and over instances."""
    figures = [np.array([outcome(ranks, truth) for ranks in windows(accuracy, count)]) for accuracy in found]
    means = np.mean([figure.mean(axis=0) for figure in figures], axis=0)
    last = np.mean([figure[-1] for figure in figures], axis=0)
    return {"aggregated": count, **named(means), "last": named(last), "windows": len(figures[0])}


def named(values: Iterable[float]) -> dict[str, float]:
    return dict(zip(("recall", "best_kept", "worst_dropped"), map(float, values), strict=True))


def windows(accuracy: Numbers, count: int) -> Numbers:
    """Mean ranks [windows, children] over every `count` successive looks of [looks, children].

    Sums of ranks are halves of whole numbers, and so exact: equal means are equal.
    """
    sums = np.cumsum(mid_ranks(accuracy), axis=0)
    sums[count:] -= sums[:-count].copy()
    return np.asarray(sums[count - 1 :] / count)


def outcome(ranks: Numbers, truth: Numbers) -> tuple[float, float, float]:
    """Recall of the worst, share of the best that are kept, share of the worst that are dropped; each 0 to 1.

    `ranks` [children]: the lower the better.
    """
    worst, kept, best = sizes(len(truth))
    bad = among_highest(-truth, worst)
    keeping = among_highest(-ranks, kept)
    return (
        float(bad @ among_highest(ranks, worst)) / worst,
        float(among_highest(truth, best) @ keeping) / best,
        float(bad @ (1 - keeping)) / worst,
    )
