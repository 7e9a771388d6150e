"""Kendall's tau-b against its definition, and against scipy's."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from cleave.stats.kendall import inversions, kendall
from tests.fresh import fresh
from tests.reference import kendall as slow

few_values = st.integers(1, 9).flatmap(
    lambda count: st.lists(st.tuples(*[st.integers(0, 9)] * 2), min_size=count, max_size=4 * count)
)


@given(few_values)
def test_tau_is_the_excess_of_concordant_pairs_with_ties_left_out(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, dtype=np.float64).T / 3
    assert kendall(one, other) == pytest.approx(slow.kendall(one, other), abs=1e-12, nan_ok=True)
    assert kendall(one, other) == pytest.approx(kendall(other, one), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("count", [2, 33, 300, 5_000])
def test_tau_is_scipys(count: int) -> None:
    random = fresh()
    one, other = random.normal(size=count), np.round(random.normal(size=count), 1)
    for scores in (other, one + other, -one):
        expected = float(kendalltau(one, scores).statistic)
        assert kendall(one, scores) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_a_constant_has_no_tau_nor_has_one_alone() -> None:
    assert isnan(kendall(np.zeros(5), np.arange(5.0)))
    assert isnan(kendall(np.arange(5.0), np.ones(5)))
    assert isnan(kendall(np.zeros(1), np.zeros(1)))
    assert isnan(kendall(np.zeros(0), np.zeros(0)))


@pytest.mark.parametrize("largest", [0, 1, 255, 256, 70_000])
def test_inversions_are_counted_whatever_the_size_of_numbers(largest: int) -> None:
    values = fresh().integers(0, largest + 1, size=100)
    values[50] = largest
    assert inversions(values) == slow.inversions(values)
