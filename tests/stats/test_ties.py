"""Ties: against every way to choose among equals, and by laws that hold whatever the numbers."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleave.stats.ties import (
    TOLERANCE,
    Numbers,
    among_highest,
    best_of_highest,
    best_rank_of_highest,
    first_drawn,
    level,
    mid_ranks,
    shared_first,
)
from tests.fresh import fresh
from tests.reference import ties as slow

FEW = st.lists(st.integers(0, 3), min_size=1, max_size=7)
"""Numbers among which ties are likely."""


def floats(numbers: list[int]) -> Numbers:
    return np.array(numbers, dtype=np.float64)


@given(FEW)
def test_ranks_are_those_of_the_slow_twin(numbers: list[int]) -> None:
    assert mid_ranks(floats(numbers)).tolist() == slow.mid_ranks(numbers)


def test_ranks_are_those_of_each_row_and_add_up_to_the_same_whatever_the_ties() -> None:
    scores = fresh().integers(0, 4, size=(5, 9)).astype(float)
    assert mid_ranks(scores).tolist() == [slow.mid_ranks(row) for row in scores.tolist()]
    assert (mid_ranks(scores).sum(axis=1) == 45).all()


@given(FEW, st.data())
def test_places_among_the_best_are_those_over_all_ways_to_choose(numbers: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(numbers)))
    found = among_highest(floats(numbers), count)
    assert found == pytest.approx(slow.among_highest(numbers, count))
    assert found.sum() == pytest.approx(count)


@given(FEW, st.integers(1, 9))
def test_the_best_of_the_highest_is_the_mean_over_all_ways_to_choose(numbers: list[int], count: int) -> None:
    values = fresh().integers(0, 5, size=len(numbers)).astype(float)
    expected = slow.best_of_highest(numbers, values.tolist(), count)
    assert best_of_highest(floats(numbers), values, count) == pytest.approx(expected)


@given(FEW.filter(lambda numbers: len(numbers) < 7), st.integers(1, 4))
def test_the_best_rank_of_the_highest_is_the_mean_over_all_ways_and_orders(numbers: list[int], count: int) -> None:
    true = fresh().integers(0, 3, size=len(numbers)).astype(float)
    expected = slow.best_rank_of_highest(numbers, true.tolist(), count)
    assert best_rank_of_highest(floats(numbers), true, count) == pytest.approx(expected)


@pytest.mark.parametrize("count", [1, 3, 100])
def test_the_best_rank_at_random_is_the_same_whatever_is_equal_in_truth(count: int) -> None:
    for true in (fresh().random(64), fresh().integers(0, 5, size=64).astype(float), np.ones(64)):
        found = best_rank_of_highest(np.zeros(64), true, count)
        assert found == pytest.approx(65 / (min(count, 64) + 1))


def test_the_order_of_the_list_is_no_part_of_a_figure() -> None:
    scores, values = fresh().integers(0, 4, size=30).astype(float), fresh().random(30)
    mixed = fresh().permutation(30)
    for count in (1, 3, 10):
        assert best_of_highest(scores[mixed], values[mixed], count) == best_of_highest(scores, values, count)
        assert (among_highest(scores[mixed], count) == among_highest(scores, count)[mixed]).all()


def test_what_is_the_same_for_all_ranks_as_chance_does() -> None:
    alike, values = np.full(64, 10.0), fresh().permutation(64) + 1.0
    assert (mid_ranks(alike) == 32.5).all()
    assert (among_highest(alike, 16) == 0.25).all()
    assert best_of_highest(alike, values, 1) == 32.5
    assert best_rank_of_highest(alike, values, 3) == pytest.approx(65 / 4)
    assert shared_first(alike) == 64
    assert shared_first(values) == 1


@pytest.mark.parametrize(("length", "count"), [(1, 1), (4, 3), (64, 1), (64, 3), (100, 100), (2000, 3), (15_625, 100)])
def test_the_first_rank_of_those_drawn_is_as_known(length: int, count: int) -> None:
    assert first_drawn(np.arange(1.0, length + 1), count) == pytest.approx((length + 1) / (count + 1))


def test_sums_in_another_order_are_made_equal_and_others_stay_apart() -> None:
    accuracies = 100 * fresh().integers(0, 97, size=128) / 96
    sums = np.array([reduce(add, fresh().permutation(accuracies).tolist()) / 128 for _ in range(20)])
    one_image = 100 / 96 / 128
    values = np.concatenate([sums, sums + one_image])
    assert len(set(values.tolist())) > 2, "rounding makes several numbers of one"
    found = level(values)
    assert len(set(found.tolist())) == 2
    assert np.abs(found - values).max() < TOLERANCE


@pytest.mark.parametrize("edge", [0.0, 0.5, 25 / 1024])
def test_there_is_no_edge_at_which_equals_are_parted(edge: float) -> None:
    """25 / 1024 lies on an edge of nine digits: one of 96 images, seen in one of 32 looks."""
    values = np.nextafter(np.full(3, edge), [-1, edge, 1])
    assert len(set(level(values).tolist())) == 1


def test_rows_are_levelled_by_themselves_and_places_are_kept() -> None:
    values = fresh().integers(0, 5, size=(4, 6)) + fresh().uniform(0, 1e-12, size=(4, 6))
    found = level(values)
    assert (np.round(found) == np.round(values)).all()
    for one, row in zip(found, values, strict=True):
        assert (one == level(row)).all()
        assert len(set(one.tolist())) == len(set(np.round(row).tolist()))
