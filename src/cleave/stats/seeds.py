"""Two methods that were run with the same seeds: their differences, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from cleave.stats.intervals import SAME


def paired_t(differences: Sequence[float]) -> float | None:
    """The two-sided p-value of Student's paired test; None for fewer than two differences, or equal ones."""
    if len(differences) < 2 or max(differences) - min(differences) <= SAME:
        return None
    from scipy.stats import ttest_1samp  # not at the top: of an extra

    return float(ttest_1samp(differences, 0.0).pvalue)


def effect_size(differences: Sequence[float]) -> float | None:
    """Their mean in units of their standard deviation (Cohen's d of paired samples, 1988); None as of `paired_t`."""
    if len(differences) < 2 or max(differences) - min(differences) <= SAME:
        return None
    return mean(differences) / stdev(differences)


def better_and_equal(differences: Sequence[float]) -> tuple[int, int]:
    """In how many seeds the first one is better, and in how many both are equal."""
    return sum(each > SAME for each in differences), sum(abs(each) <= SAME for each in differences)
