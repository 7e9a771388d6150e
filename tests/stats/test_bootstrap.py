"""Intervals by resampling."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest

from cleave.stats.bootstrap import DRAWS, Numbers, block_length, interval, positions
from tests.fresh import fresh


def difference(one: Numbers, other: Numbers) -> float:
    return float(one.mean() - other.mean())


def some(count: int) -> tuple[Numbers, Numbers]:
    random = fresh()
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


@pytest.mark.parametrize("count", [0, 1])
def test_an_interval_of_one_value_is_none(count: int) -> None:
    assert all(map(isnan, interval(difference, *some(count), seed=0)))


def test_an_interval_of_one_block_is_none() -> None:
    values = some(3)
    for length in (2, 3):
        short = [each[:length] for each in values]
        assert all(map(isnan, interval(difference, *short, seed=0, block=length)))
        low, high = interval(difference, *short, seed=0, block=length - 1)
        assert low < high


def resembling(count: int, random: np.random.Generator) -> Numbers:
    """A series of mean 0 in which each value is half of the one before, and half new."""
    values = np.zeros(count)
    for place, new in enumerate(random.normal(size=count)):
        values[place] = 0.5 * values[place - 1] + new
    return values


def test_blocks_of_one_are_the_plain_draws() -> None:
    for count in (1, 2, 7, 64):
        seed = int(fresh().integers(10**6))
        plain = np.random.default_rng(seed).integers(count, size=count)
        assert np.array_equal(positions(count, 1, np.random.default_rng(seed)), plain)


def test_a_draw_consists_of_blocks_of_neighbours_round_the_end_and_takes_all_as_often() -> None:
    random = fresh()
    for count, block in ((64, 4), (10, 3), (5, 5), (3, 4), (1, 1)):
        drawn = np.stack([positions(count, block, random) for _ in range(4000)])
        assert drawn.shape == (4000, count)
        for place in range(1, count):
            if place % block:
                assert np.array_equal(drawn[:, place], (drawn[:, place - 1] + 1) % count)
        often = np.bincount(drawn.ravel(), minlength=count) / 4000
        assert often == pytest.approx(1, abs=8 * np.sqrt(block / 4000))


def test_blocks_are_as_long_as_the_cube_root_of_a_series() -> None:
    assert [block_length(count) for count in (1, 2, 8, 9, 27, 64, 65, 1000)] == [1, 2, 2, 3, 3, 4, 5, 10]
    assert [block_length(side**3) for side in range(1, 200)] == [*range(1, 200)], "whole roots are not rounded up"
    assert [block_length(side**3 + 1) for side in range(1, 200)] == [*range(2, 201)]


def test_of_a_series_blocks_hold_the_mean_more_often_than_single_draws() -> None:
    random, held = fresh(), {1: 0, block_length(200): 0}
    for seed in range(300):
        series = resembling(200, random)
        for block in held:
            low, high = interval(lambda some, _: float(some.mean()), series, series, seed, block=block)
            held[block] += low <= 0 <= high
    single, blocks = held.values()
    assert single < 245, "single draws were to hold too few: about 71 % where 95 % are asked for"
    assert 240 < blocks < 294, "blocks of 6 come to about 89 %"
