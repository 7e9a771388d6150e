"""How far accuracies jump from one mini-batch to the next, under each kind of statistics of the same weights.

The question that 2001.01431 leaves open: do children jump because the weights changed, or because the running
statistics did? Statistics that are estimated anew for every child on the same weights have no part in a jump; what is
left of it is the weights'.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np

from cleave.stats.bootstrap import block_length, interval
from cleave.stats.ranking import defined
from cleave.study.analysis.estimates import series_estimate
from cleave.study.analysis.metrics import mean, taus
from cleave.study.record.log import Log, Looks, Numbers
from cleave.study.record.views import see


def jumps(log: Log, seed: int) -> dict[str, dict[str, Any]] | None:
    """By kind of statistics: {"change", "consecutive_tau", "square", "share"}; None without two dense looks in a row.

    change: the mean distance (percentage points) between a child's accuracies in successive looks, an estimate over
    looks. consecutive_tau: Kendall's tau of successive looks, an estimate over the pairs in which it is defined.
    square: the mean of the changes' squares.
    share, share_low, share_high: that as a share of the first kind's, what is left of the jumps under these statistics,
    with its interval. Intervals draw blocks of successive looks, which resemble each other, out of those of all
    instances.
    """
    found = {kind: of_looks(see(log, kind).dense, seed) for kind in log.statistics}
    known = {kind: part for kind, part in found.items() if part is not None}
    if not known:
        return None
    (_, first), *_ = known.items()
    return {
        kind: {**part, "square": mean(part["square"]), **share(part["square"], first["square"], seed)}
        for kind, part in known.items()
    }


def share(squares: Numbers, of: Numbers, seed: int) -> dict[str, float | None]:
    """What part of the first kind's squares, both by look, these are, with its interval over looks."""
    if not of.any() or len(squares) != len(of):
        return {"share": None, "share_low": None, "share_high": None}
    block = block_length(len(of))
    low, high = interval(
        lambda some, others: mean(some) / mean(others) if others.any() else nan, squares, of, seed, block=block
    )
    return {"share": mean(squares) / mean(of), "share_low": defined(low), "share_high": defined(high)}


def of_looks(each: Sequence[Looks], seed: int) -> dict[str, Any] | None:
    """The jumps of all instances together."""
    several = [looks for looks in each if len(looks) > 1]
    if not several:
        return None
    changes = np.concatenate([np.diff(looks.accuracy, axis=0) for looks in several])
    alike = np.concatenate([taus(looks.accuracy[1:], looks.accuracy[:-1]) for looks in several])
    return {
        "change": series_estimate(np.abs(changes).mean(axis=1), seed),
        "consecutive_tau": series_estimate(alike, seed),
        "square": (changes**2).mean(axis=1),
    }
