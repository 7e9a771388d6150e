"""Rank metrics of the study, against slow twins and the published figures."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from cleave.stats.bootstrap import interval
from cleave.study.estimates import across, drawn, gt_tau_estimate, s_tau_estimate, simulated_estimate
from cleave.study.log import Looks, Numbers, read_log
from cleave.study.metrics import (
    best_first,
    gt_taus,
    mean_tau,
    own_ranks,
    ranks,
    regret,
    resampled_taus,
    s_tau,
    spread,
    tau_pairs,
    taus,
    tnr,
    top_accuracy,
)
from cleave.study.rankings import cycle_averages, rankings, see
from cleave.study.truth import Truth, read_truth
from tests.reference import study as slow
from tests.study.made import log_of, some_accuracies, some_children

RANDOM = np.random.default_rng()
NUMBERS = st.lists(st.integers(0, 6), min_size=2, max_size=9)


def tied(*shape: int) -> Numbers:
    return RANDOM.integers(0, 8, size=shape).astype(np.float64)


def test_taus_are_those_of_scipy_ties_included() -> None:
    scores, true = tied(20, 12), tied(12)
    assert taus(scores, true) == pytest.approx([kendalltau(row, true).statistic for row in scores])


@given(NUMBERS)
def test_taus_are_those_of_the_slow_twin_and_undefined_for_constants(numbers: list[int]) -> None:
    other = RANDOM.permutation(numbers).astype(np.float64)
    one = np.array(numbers, dtype=np.float64)
    assert taus(one[np.newaxis], other) == pytest.approx([slow.tau_b(one, other)], nan_ok=True)
    assert taus(one[np.newaxis], np.zeros(len(one))) == pytest.approx([np.nan], nan_ok=True)


def test_taus_among_children_that_were_drawn_are_those_of_the_drawn_themselves() -> None:
    scores, true = tied(4, 11), tied(11)
    draws = RANDOM.integers(11, size=(9, 11))
    counts = np.stack([np.bincount(draw, minlength=11) for draw in draws])
    found = resampled_taus(scores, true, counts)
    assert found.shape == (9, 4)
    for draw, row in zip(draws, found, strict=True):
        assert row == pytest.approx([slow.tau_b(one[draw], true[draw]) for one in scores], nan_ok=True)


def test_draws_and_bounds_are_those_of_the_common_bootstrap() -> None:
    scores, true = tied(3, 25), tied(25)
    found = gt_tau_estimate([scores], true, seed=4)
    wanted = interval(lambda one, other: mean_tau(one.T, other), scores.T, true, seed=4)
    assert (found["low"], found["high"]) == pytest.approx(wanted)
    assert (drawn(25, 4).sum(axis=1) == 25).all()


def test_each_row_can_have_a_truth_of_its_own() -> None:
    scores, true = tied(6, 9), tied(6, 9)
    assert taus(scores, true) == pytest.approx(
        [slow.tau_b(one, other) for one, other in zip(scores, true, strict=True)]
    )


def test_one_child_has_no_tau() -> None:
    assert np.isnan(taus(np.ones((3, 1)), np.ones(1))).all()


def test_s_tau_is_the_mean_of_all_pairs() -> None:
    scores = tied(7, 10)
    assert s_tau(scores) == pytest.approx(slow.s_tau(scores.tolist()))
    assert len(tau_pairs(scores)) == 21
    assert tau_pairs(scores)[:6] == pytest.approx([slow.tau_b(scores[0], row) for row in scores[1:]])
    assert s_tau(np.repeat(scores[:1], 3, axis=0)) == pytest.approx(1)


def test_random_rankings_have_an_s_tau_of_about_nothing() -> None:
    assert abs(s_tau(RANDOM.random((40, 64)))) < 0.02


@given(NUMBERS)
def test_ranks_leave_equals_in_their_order(numbers: list[int]) -> None:
    scores = np.array(numbers, dtype=np.float64)
    assert ranks(scores).tolist() == slow.ranks(numbers)
    assert best_first(scores).tolist() == slow.order(numbers)


def test_ranks_are_those_of_each_row() -> None:
    scores = tied(5, 9)
    assert ranks(scores).tolist() == [slow.ranks(row) for row in scores.tolist()]


@pytest.mark.parametrize("n", [1, 3, 20])
def test_the_top_is_measured_as_by_the_slow_twins(n: int) -> None:
    scores, true = tied(12), tied(12)
    assert tnr(scores, true, n) == slow.tnr(scores.tolist(), true.tolist(), n)
    best = slow.top_accuracy(scores.tolist(), true.tolist(), n)
    assert top_accuracy(scores, true, n) == best
    assert regret(scores, true, n) == max(true) - best


def test_the_truth_ranks_itself_perfectly() -> None:
    true = RANDOM.permutation(30).astype(np.float64)
    assert (tnr(true, true, 1), regret(true, true, 1)) == (1, 0)
    assert tnr(-true, true, 1) == 30
    assert tnr(-true, true, 3) == 28


def looks_of(accuracy: Numbers, trained: tuple[str | None, ...] | None = None) -> Looks:
    children = some_children(accuracy.shape[1])
    steps = np.arange(len(accuracy))
    return Looks(children, steps, steps, trained or (None,) * len(accuracy), accuracy)


def test_the_rank_of_the_child_just_trained_counts_only_what_is_better() -> None:
    accuracy = some_accuracies(30, 6)
    looks = looks_of(accuracy)
    trained = tuple(RANDOM.choice([*looks.children, None], size=30).tolist())
    looks = looks_of(accuracy, trained)
    looks = Looks(looks.children, looks.steps, looks.epochs, tuple(RANDOM.permutation(trained)), accuracy)
    wanted = []
    for row, child in zip(accuracy.tolist(), looks.trained, strict=True):
        if child in looks.children:
            own = row[looks.children.index(child)]
            wanted.append(1 + sum(value > own for value in row))
    assert own_ranks(looks).tolist() == wanted


def test_where_no_child_is_known_or_alone_there_is_no_rank_of_the_just_trained() -> None:
    assert len(own_ranks(looks_of(some_accuracies(5, 4)))) == 0
    alone = looks_of(some_accuracies(5, 1))
    assert len(own_ranks(Looks(alone.children, alone.steps, alone.epochs, alone.children * 5, alone.accuracy))) == 0


def test_spread_leaves_out_what_is_undefined_and_says_so() -> None:
    values = RANDOM.normal(size=9)
    found = spread(np.append(values, np.nan))
    assert found == pytest.approx(
        {"mean": np.mean(values), "std": np.std(values), "max": max(values), "min": min(values), "n": 9}
    )
    assert spread(np.array([np.nan])) == {"mean": None, "std": None, "max": None, "min": None, "n": 0}
    assert across([1.0, None, 3.0]) == {"mean": 2.0, "std": 1.0}
    assert across([1.0]) == {"mean": 1.0, "std": None}


def test_one_instance_is_drawn_by_children_and_several_by_instances() -> None:
    true = RANDOM.random(30)
    each = [true + RANDOM.normal(0, 0.3, size=(4, 30)) for _ in range(5)]
    one, all_five = gt_tau_estimate(each[:1], true, seed=1), gt_tau_estimate(each, true, seed=1)
    assert (one["over"], all_five["over"]) == ("children", "instances")
    assert one["value"] == pytest.approx(mean_tau(each[0], true))
    means = [mean_tau(scores, true) for scores in each]
    assert (all_five["value"], all_five["std"]) == pytest.approx((np.mean(means), np.std(means)))
    assert min(means) <= all_five["low"] < all_five["value"] < all_five["high"] <= max(means)
    assert one["low"] < one["value"] < one["high"]
    assert one == gt_tau_estimate(each[:1], true, seed=1)
    assert one["low"] != gt_tau_estimate(each[:1], true, seed=2)["low"]


def test_the_interval_over_children_mostly_holds_the_tau_of_all_that_could_have_been_drawn() -> None:
    hits = 0
    for seed in range(40):
        true = RANDOM.normal(size=40)
        scores = (true + RANDOM.normal(size=40))[np.newaxis]  # correlated by the root of 1/2: tau is 1/2
        found = gt_tau_estimate([scores], true, seed)
        hits += found["low"] <= 0.5 <= found["high"]
    assert hits >= 26


def test_s_tau_of_one_set_is_drawn_by_children() -> None:
    scores = RANDOM.random(30) + RANDOM.normal(0, 0.3, size=(4, 30))
    found = s_tau_estimate([scores], seed=0)
    assert found["over"] == "children"
    assert found["value"] == pytest.approx(s_tau(scores))
    assert found["low"] < found["value"] < found["high"]


def test_a_constant_has_no_figure() -> None:
    found = gt_tau_estimate([np.zeros((2, 5))], np.arange(5.0), seed=0)
    assert found == {"value": None, "std": None, "low": None, "high": None, "over": "children"}


def test_of_simulated_studies_the_interval_holds_nineteen_in_twenty() -> None:
    values = RANDOM.normal(size=(2000, 3))
    found = simulated_estimate(values)
    means = values.mean(axis=1)
    assert np.mean((means >= found["low"]) & (means <= found["high"])) == pytest.approx(0.95, abs=0.002)


def test_many_looks_are_bootstrapped_in_a_moment() -> None:
    scores, true = RANDOM.random((128, 64)), RANDOM.random(64)
    began = perf_counter()
    gt_tau_estimate([scores], true, seed=0)
    assert perf_counter() - began < 5  # some 0.1 s; scipy's own takes 5, and the machine may be loaded


@pytest.fixture(scope="module")
def published(shared: Path) -> tuple[Looks, Truth]:
    """The published accuracies of 128 looks at all 64 children, and of children trained alone."""
    folder = shared / "data" / "deeper-insights"
    log = read_log(folder / "share_all_acc_last128.csv", folder / "order_one_0.txt")
    return log.looks(0, dense=True), read_truth(folder / "gt64.csv", log)


def test_gt_tau_by_look_is_as_published(published: tuple[Looks, Truth]) -> None:
    found = spread(gt_taus(*published))
    assert [round(found[name] or 0, 5) for name in ("mean", "std", "max", "min")] == [
        0.50807, 0.15052, 0.74107, 0.13095,
    ]  # fmt: skip


def test_gt_tau_of_averages_is_as_published(published: tuple[Looks, Truth]) -> None:
    looks, truth = published
    cycles = taus(cycle_averages(looks), truth.mean)
    assert len(cycles) == 65
    assert (round(cycles.mean(), 3), round(cycles.std(), 3)) == (0.653, 0.010)
    average = rankings(see(log_of(looks.children, looks.accuracy)))["dense average"]
    assert round(taus(average, truth.mean)[0], 5) == 0.65774


def test_the_rank_of_the_child_just_trained_is_as_published(published: tuple[Looks, Truth]) -> None:
    own = own_ranks(published[0])
    assert (round(own.mean(), 2), round((own == 1).mean(), 3)) == (16.13, 0.078)
