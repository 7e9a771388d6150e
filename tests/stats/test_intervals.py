"""Intervals and tests against their definitions and against scipy."""

from __future__ import annotations

import random

import pytest
from scipy.stats import binomtest

from cleave.stats.intervals import rank_p_value, wilson


def test_the_wilson_interval_is_scipys() -> None:
    for _ in range(50):
        trials = random.randint(1, 3000)
        hits = random.randint(0, trials)
        expected = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
        assert wilson(hits, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_an_interval_holds_its_share_and_narrows_with_more_trials() -> None:
    for share in (0.0, 0.1, 0.5, 1.0):
        low, high = wilson(share * 100, 100)
        assert 0 <= low <= share <= high <= 1
        closer = wilson(share * 10_000, 10_000)
        assert closer[1] - closer[0] < high - low


def test_the_rank_test_counts_those_that_do_as_well() -> None:
    assert rank_p_value(3.0, [1.0, 2.0, 3.0, 4.0]) == (1 + 2) / 5
    assert rank_p_value(5.0, [1.0] * 19) == 0.05
    assert rank_p_value(1.0, [1.0] * 19) == 1.0


def test_the_rank_test_is_exact_among_equals() -> None:
    """Of n + 1 different values in random order each has each p-value equally often."""
    values = random.sample(range(1000), 8)
    found = sorted(rank_p_value(value, [other for other in values if other != value]) for value in values)
    assert found == [rank / 8 for rank in range(1, 9)]
