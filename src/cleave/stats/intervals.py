"""Intervals and exact tests."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import mean, stdev

Z95 = 1.959963984540054
"""The normal deviate that leaves 2.5 % on each side."""

SAME = 1e-9
"""What is closer differs by rounding alone, in percentage points and other units of about 1."""


def wilson(hits: float, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `hits` of `trials` were seen (Wilson, 1927), in [0, 1]."""
    assert 0 <= hits <= trials
    share, square = hits / trials, Z95**2 / trials
    centre = (share + square / 2) / (1 + square)
    reach = Z95 / (1 + square) * sqrt(share * (1 - share) / trials + square / (4 * trials))
    return (centre - reach if hits else 0.0), (centre + reach if hits < trials else 1.0)


def student(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a mean by Student's t; None for one value, however often it was found, and for none."""
    if len(values) < 2 or max(values) - min(values) <= SAME:
        return None
    from scipy.stats import t  # not at the top: of an extra

    centre = mean(values)
    reach = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return centre - reach, centre + reach


def rank_p_value(value: float, others: list[float]) -> float:
    """The chance that one of equals does as well as `value` among `others`: the exact one-sided rank test.

    Ties count against it. With n others the smallest that it can be is 1 / (n + 1).
    """
    return (1 + sum(other >= value for other in others)) / (1 + len(others))
