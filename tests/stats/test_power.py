"""How many seeds tell a difference, against a simulation of so many experiments."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy.stats import t

from cleave.stats.power import MOST, power_of, seeds_for, upper_deviation
from tests.fresh import fresh

DRAWS = 20_000


def seen(seeds: int, difference: float, deviation: float) -> float:
    """The share of experiments in which the interval of the mean difference leaves zero out."""
    found = fresh().normal(difference, deviation, size=(DRAWS, seeds))
    reach = t.ppf(0.975, seeds - 1) * found.std(axis=1, ddof=1) / sqrt(seeds)
    return float(np.mean(np.abs(found.mean(axis=1)) > reach))


@pytest.mark.parametrize("seeds", [2, 3, 5, 12, 40])
def test_power_is_the_share_of_experiments_that_see_the_difference(seeds: int) -> None:
    difference, deviation = fresh().uniform(0.3, 2, size=2)
    share = power_of(seeds, difference, deviation)
    error = sqrt(share * (1 - share) / DRAWS)
    assert seen(seeds, difference, deviation) == pytest.approx(share, abs=5 * error + 5 / DRAWS)


@pytest.mark.parametrize(("effect", "seeds"), [(0.5, 34), (1.0, 10), (2.0, 5)])
def test_the_numbers_are_those_of_the_textbooks(effect: float, seeds: int) -> None:
    """Cohen, "Statistical power analysis for the behavioral sciences", 1988: paired, two-sided, 5 %, 80 %."""
    assert seeds_for(effect, 1.0) == seeds


def test_one_seed_fewer_would_not_be_enough() -> None:
    for difference in fresh().uniform(0.1, 3, size=20):
        seeds = seeds_for(difference, 1.0)
        assert seeds is not None
        assert power_of(seeds, difference, 1.0) >= 0.8
        assert seeds == 2 or power_of(seeds - 1, difference, 1.0) < 0.8


def test_only_the_ratio_counts() -> None:
    assert seeds_for(1.0, 1.5) == seeds_for(0.02, 0.03)


def test_a_large_difference_is_always_seen() -> None:
    assert power_of(40, 100.0, 1.0) == 1
    assert seeds_for(100.0, 1.0) == 2


def test_no_spread_needs_two_and_too_much_cannot_be_run() -> None:
    assert seeds_for(1.0, 0.0) == 2
    assert seeds_for(0.001, 1.0) is None
    assert power_of(MOST, 0.001, 1.0) < 0.8


@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_the_true_deviation_is_below_as_often_as_is_said(seeds: int) -> None:
    found = fresh().normal(0, 2, size=(DRAWS, seeds)).std(axis=1, ddof=1)
    held = np.mean([upper_deviation(each, seeds) >= 2 for each in found[:4000]])
    assert held == pytest.approx(0.8, abs=5 * sqrt(0.16 / 4000))
