"""Differences from seed to seed, against sums by hand and scipy's test on random numbers."""

from __future__ import annotations

from math import sqrt

import pytest
from scipy.stats import ttest_rel

from cleave.stats.seeds import better_and_equal, effect_size, paired_t
from tests.fresh import fresh


def test_the_test_is_that_of_two_paired_samples() -> None:
    one, other = fresh().normal(size=(2, 7))
    assert paired_t((one - other).tolist()) == pytest.approx(ttest_rel(one, other).pvalue)


def test_the_effect_is_the_mean_in_deviations() -> None:
    assert effect_size([1.0, 2.0, 3.0]) == pytest.approx(2.0)
    values = fresh().normal(size=9)
    by_hand = sum(values) / 9 / sqrt(sum((values - sum(values) / 9) ** 2) / 8)
    assert effect_size(values.tolist()) == pytest.approx(by_hand)


@pytest.mark.parametrize("differences", [[], [1.5], [0.2, 0.2, 0.2]])
def test_without_spread_nothing_is_told(differences: list[float]) -> None:
    assert paired_t(differences) is None
    assert effect_size(differences) is None


def test_seeds_are_counted() -> None:
    assert better_and_equal([1.0, -1.0, 0.0, 1e-12, 2.0]) == (2, 2)


def test_where_nothing_differs_one_of_twenty_is_below_a_twentieth() -> None:
    found = [paired_t(row) or 1.0 for row in fresh().normal(size=(2000, 3)).tolist()]
    assert 0.03 < sum(p <= 0.05 for p in found) / len(found) < 0.07
