"""How many seeds tell a difference: the power of Student's paired test.

Seed by seed two methods are run, and their differences are held against zero. With few seeds the deviation of these
differences is hardly known; so is the number of seeds that follows from it.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from cleave.stats.paired import POWER

LEVEL = 0.05
PARTS = 10_000
"""Deviations that may be found, each as likely as the others, over which power is the mean: scipy's noncentral t is
not a number where a difference is large."""
MOST = 10_000
"""Seeds; nobody runs more."""


def power_of(seeds: int, difference: float, deviation: float, level: float = LEVEL) -> float:
    """How often the two-sided paired t test sees a true difference, at this level and with so many seeds.

    `deviation`: the standard deviation of the differences from seed to seed, in the unit of `difference`.
    """
    from scipy.stats import chi, norm, t  # not at the top: of an extra

    freedom = seeds - 1
    bound, shift = t.ppf(1 - level / 2, freedom), difference / deviation * sqrt(seeds)
    found = chi.ppf((np.arange(PARTS) + 0.5) / PARTS, freedom) / sqrt(freedom)  # in times of the true deviation
    return float(np.mean(norm.sf(bound * found - shift) + norm.cdf(-bound * found - shift)))


def seeds_for(difference: float, deviation: float, level: float = LEVEL, wanted: float = POWER) -> int | None:
    """The fewest seeds with which the test sees the difference as often as is wanted; None for more than `MOST`."""
    if deviation <= 0:
        return 2
    low, high = 1, 2
    while power_of(high, difference, deviation, level) < wanted:
        if high >= MOST:
            return None
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        seen = power_of(middle, difference, deviation, level) >= wanted
        low, high = (low, middle) if seen else (middle, high)
    return high


def upper_deviation(deviation: float, seeds: int, sure: float = 0.8) -> float:
    """What the true deviation is below with this confidence, where `deviation` was found with so many seeds."""
    from scipy.stats import chi2

    return deviation * sqrt((seeds - 1) / float(chi2.ppf(1 - sure, seeds - 1)))
