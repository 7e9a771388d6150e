"""Rank metrics of the study, against slow twins and the published figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from cleave.stats.bootstrap import interval
from cleave.study.analysis.estimates import (
    across,
    drawn,
    gt_tau_estimate,
    mean_estimate,
    s_tau_estimate,
    series_estimate,
    simulated_estimate,
)
from cleave.study.analysis.metrics import (
    gt_taus,
    mean_tau,
    own_places,
    regret,
    resampled_taus,
    s_tau,
    spread,
    tau_pairs,
    taus,
    tnr,
    top_accuracy,
)
from cleave.study.analysis.rankings import cycle_averages, rankings
from cleave.study.record.log import Looks, Numbers, read_log
from cleave.study.record.truth import Truth, read_truth
from cleave.study.record.views import see
from tests.fresh import fresh
from tests.reference import study as slow
from tests.study.made import log_of, some_accuracies, some_children

RANDOM = fresh()
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


@pytest.mark.parametrize("n", [1, 3, 20])
def test_the_top_is_measured_as_by_the_slow_twins(n: int) -> None:
    scores, true = RANDOM.integers(0, 4, size=(2, 6)).astype(np.float64)
    assert tnr(scores, true, n) == pytest.approx(slow.tnr(scores.tolist(), true.tolist(), n))
    best = slow.top_accuracy(scores.tolist(), true.tolist(), n)
    assert top_accuracy(scores, true, n) == pytest.approx(best)
    assert regret(scores, true, n) == pytest.approx(max(true) - best)


def test_the_truth_ranks_itself_perfectly() -> None:
    true = RANDOM.permutation(30).astype(np.float64)
    assert (tnr(true, true, 1), regret(true, true, 1)) == (1, 0)
    assert tnr(-true, true, 1) == 30
    assert tnr(-true, true, 3) == 28


def looks_of(accuracy: Numbers, trained: tuple[str | None, ...] | None = None) -> Looks:
    children = some_children(accuracy.shape[1])
    steps = np.arange(len(accuracy))
    return Looks(children, steps, steps, trained or (None,) * len(accuracy), accuracy)


def test_the_child_just_trained_shares_places_with_its_equals() -> None:
    accuracy, columns = tied(30, 6), RANDOM.integers(6, size=30).tolist()
    looks = looks_of(accuracy)
    trained = tuple(looks.children[column] for column in columns)
    ranks, firsts = own_places(Looks(looks.children, looks.steps, looks.epochs, trained, accuracy))
    wanted = slow.own_places(accuracy.tolist(), columns)
    assert (ranks.tolist(), firsts.tolist()) == (wanted[0], pytest.approx(wanted[1]))


def test_looks_after_training_an_unknown_child_do_not_count() -> None:
    accuracy = some_accuracies(3, 4)
    looks = looks_of(accuracy)
    some = Looks(looks.children, looks.steps, looks.epochs, (None, looks.children[2], "999"), accuracy)
    assert own_places(some)[0].tolist() == [slow.own_places([accuracy[1].tolist()], [2])[0][0]]


def test_where_no_child_is_known_or_alone_there_is_no_rank_of_the_just_trained() -> None:
    assert [len(part) for part in own_places(looks_of(some_accuracies(5, 4)))] == [0, 0]
    alone = looks_of(some_accuracies(5, 1))
    same = Looks(alone.children, alone.steps, alone.epochs, alone.children * 5, alone.accuracy)
    assert [len(part) for part in own_places(same)] == [0, 0]


def test_spread_leaves_out_what_is_undefined_and_says_so() -> None:
    values = RANDOM.normal(size=9)
    found = spread(np.append(values, np.nan))
    assert found == pytest.approx(
        {"mean": np.mean(values), "std": np.std(values), "max": max(values), "min": min(values), "n": 9}
    )
    assert spread(np.array([np.nan])) == {"mean": None, "std": None, "max": None, "min": None, "n": 0}
    assert across([1.0, None, 3.0]) == {"mean": 2.0, "std": 1.0}
    assert across([1.0]) == {"mean": 1.0, "std": None}
    assert spread(np.array([0.5, np.nan])) == {"mean": 0.5, "std": None, "max": 0.5, "min": 0.5, "n": 1}


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
    unknown = {"value": None, "std": None, "low": None, "high": None}
    assert found == {**unknown, "over": "children", "defined": 0, "of": 2}


def test_a_figure_says_of_how_many_it_is_and_one_alone_has_no_interval() -> None:
    """Eight constant rankings of ten: one pair can be compared."""
    scores = np.zeros((10, 6))
    scores[3], scores[7] = np.arange(6.0), np.arange(6.0)
    found = s_tau_estimate([scores], seed=0)
    assert (found["value"], found["defined"], found["of"]) == (pytest.approx(1), 1, 45)
    series = series_estimate(np.array([np.nan, 0.3, np.nan, np.nan]), seed=0)
    wanted = {"value": 0.3, "std": None, "low": None, "high": None, "over": "looks", "defined": 1, "of": 4}
    assert series == wanted
    assert mean_estimate(np.array([np.nan, 0.3]), 0, "instances") == {**wanted, "over": "instances", "of": 2}
    several = gt_tau_estimate([scores, np.zeros((5, 6))], np.arange(6.0), seed=0)
    assert (several["value"], several["low"], several["defined"], several["of"]) == (pytest.approx(1), None, 2, 15)


def test_what_is_undefined_changes_nothing_of_what_is_defined() -> None:
    values = RANDOM.random(12)
    mixed = RANDOM.permutation(np.concatenate([values, np.full(5, np.nan)]))
    found, whole = mean_estimate(mixed, 3, "runs"), mean_estimate(mixed[np.isfinite(mixed)], 3, "runs")
    assert {**found, "of": 12} == whole


def test_of_simulated_studies_the_interval_holds_nineteen_in_twenty() -> None:
    values = RANDOM.normal(size=(2000, 3))
    found = simulated_estimate(values)
    means = values.mean(axis=1)
    assert np.mean((means >= found["low"]) & (means <= found["high"])) == pytest.approx(0.95, abs=0.002)


def test_signs_of_pairs_are_found_once_for_all_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes hundreds of draws affordable: scipy's own tau of each draw takes some fifty times as long."""
    found: list[int] = []

    def counted(scores: Numbers) -> Numbers:
        found.append(len(scores))
        return np.sign(scores[:, np.newaxis] - scores)

    monkeypatch.setattr("cleave.study.analysis.metrics.signs", counted)
    resampled_taus(RANDOM.random((20, 9)), RANDOM.random(9), drawn(9, 0))
    assert len(found) == 20 + 1


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


def test_the_child_just_trained_ranks_as_published_but_for_its_equals(published: tuple[Looks, Truth]) -> None:
    looks = published[0]
    own, first = own_places(looks)
    assert (round(own.mean(), 2), round(first.mean(), 3)) == (16.16, 0.078)
    columns = [looks.children.index(child) for child in looks.trained if child is not None]
    better = [(row > row[column]).sum() for row, column in zip(looks.accuracy, columns, strict=True)]
    assert round(1 + np.mean(better), 2) == 16.13, "as published: equals count as worse"
