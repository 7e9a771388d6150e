"""Intervals by resampling."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest

from cleave.stats.bootstrap import DRAWS, Numbers, interval


def difference(one: Numbers, other: Numbers) -> float:
    return float(one.mean() - other.mean())


def some(count: int) -> tuple[Numbers, Numbers]:
    random = np.random.default_rng()
    one = random.normal(size=count)
    return one, one + random.normal(1, 1, size=count)


def test_of_a_mean_it_is_about_twice_its_standard_error_to_either_side() -> None:
    one, other = some(2000)
    low, high = interval(difference, one, other, seed=3)
    error = (one - other).std() / np.sqrt(len(one))
    middle = difference(one, other)
    assert low < middle < high
    assert 1.2 * error < middle - low < 3 * error
    assert 1.2 * error < high - middle < 3 * error


def test_equal_seeds_draw_the_same_and_others_not() -> None:
    one, other = some(50)
    assert interval(difference, one, other, seed=1) == interval(difference, one, other, seed=1)
    assert interval(difference, one, other, seed=1) != interval(difference, one, other, seed=2)


def test_pairs_stay_together() -> None:
    one, _ = some(30)
    assert interval(difference, one, one, seed=0) == (0, 0)


def test_draws_without_a_value_do_not_count() -> None:
    one, other = some(30)
    values: list[float] = []

    def sometimes(one: Numbers, other: Numbers) -> float:
        values.append(nan if len(values) % 2 else difference(one, other))
        return values[-1]

    low, high = interval(sometimes, one, other, seed=0)
    assert len(values) == DRAWS
    assert sum(map(isnan, values)) == DRAWS // 2
    assert (low, high) == pytest.approx(np.quantile([value for value in values if not isnan(value)], [0.025, 0.975]))
    assert all(map(isnan, interval(lambda one, other: nan, one, other, seed=0)))
