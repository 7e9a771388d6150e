"""How many seeds tell a difference: the power of Student's paired test.

Seed by seed two methods are run, and their differences are held against zero. With few seeds the deviation of these
differences is hardly known; so is the number of seeds that follows from it.
"""

from __future__ import annotations

from math import sqrt

from cleave.stats.paired import POWER

LEVEL = 0.05
MOST = 10_000
"""Seeds; whoever needs more will not run them."""


def power_of(seeds: int, difference: float, deviation: float, level: float = LEVEL) -> float:
    """How often the two-sided paired t test sees a true difference, at this level and with so many seeds.

    `deviation`: the standard deviation of the differences from seed to seed, in the unit of `difference`.
    """
    from scipy.stats import nct, t  # not at the top: of an extra

    bound = t.ppf(1 - level / 2, seeds - 1)
    shift = difference / deviation * sqrt(seeds)
    return float(nct.sf(bound, seeds - 1, shift) + nct.cdf(-bound, seeds - 1, shift))


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
