"""Dropping the bad by ranks: against a slow twin, rankings known to be good or bad, and the published looks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from cleave.study.analysis.pruning import outcome, pruning, windows
from cleave.study.record.log import Log, Numbers, read_log
from cleave.study.record.truth import read_truth
from tests.fresh import fresh
from tests.reference.ties import mid_ranks
from tests.study.made import log_of, made_log, some_accuracies, some_children

PERFECT = {"recall": 1.0, "best_kept": 1.0, "worst_dropped": 1.0}
NOTHING = {"recall": 0.0, "best_kept": 0.0, "worst_dropped": 0.0}


def shared_places(scores: list[Fraction], first: int) -> list[float]:
    """What each has of the first so many places: the mean over the places that its equals take."""
    listed = sorted(scores, reverse=True)
    return [fmean(place < first for place, other in enumerate(listed) if other == score) for score in scores]


def slow_outcome(accuracy: Numbers, truth: Numbers) -> tuple[float, float, float]:
    """The last looks' outcome child by child, means of ranks as fractions."""
    count = len(truth)
    by_look = [mid_ranks(row) for row in accuracy.tolist()]
    mean = [sum(map(Fraction, column)) / len(by_look) for column in zip(*by_look, strict=True)]
    true = [Fraction(value) for value in truth.tolist()]
    quarter, best = count // 4, min(10, count // 4)
    bad, good = shared_places([-value for value in true], quarter), shared_places(true, best)
    ranked_worst, kept = shared_places(mean, quarter), shared_places([-value for value in mean], count // 2)
    recall = sum(one * other for one, other in zip(bad, ranked_worst, strict=True)) / quarter
    best_kept = sum(one * other for one, other in zip(good, kept, strict=True)) / best
    return recall, best_kept, sum(one * (1 - other) for one, other in zip(bad, kept, strict=True)) / quarter


@pytest.mark.parametrize("children", [8, 13, 50])
def test_every_row_is_as_counted_child_by_child(children: int) -> None:
    log = made_log(some_children(children), 12)
    truth = some_accuracies(children)
    accuracy = log.looks(0, dense=True).accuracy
    report = pruning(log, truth)
    assert report is not None
    assert [row["aggregated"] for row in report["rows"]] == [1, 2, 5, 10]
    for row in report["rows"]:
        count = row["aggregated"]
        each = [slow_outcome(accuracy[first : first + count], truth) for first in range(12 - count + 1)]
        assert row["windows"] == len(each)
        assert [row[name] for name in PERFECT] == pytest.approx(np.mean(each, axis=0))
        assert list(row["last"].values()) == pytest.approx(each[-1])


def test_a_ranking_like_the_truth_loses_nothing_and_its_opposite_everything() -> None:
    children = some_children(20)
    truth = fresh().permutation(20) + 50.0
    for accuracy, expected in ((truth, PERFECT), (-truth, NOTHING)):
        report = pruning(log_of(children, np.tile(accuracy, (3, 1))), truth)
        assert report is not None
        for row in report["rows"]:
            assert {name: row[name] for name in PERFECT} == row["last"] == expected


def test_averages_over_more_looks_find_more_of_the_worst() -> None:
    children, random = some_children(40), fresh()
    truth = np.linspace(60, 80, 40)
    report = pruning(log_of(children, truth + random.normal(0, 15, size=(128, 40))), truth)
    assert report is not None
    recalls = [row["recall"] for row in report["rows"]]
    assert recalls[0] + 0.2 < recalls[-1]
    assert report["rows"][-1]["windows"] == 1


def test_means_of_ranks_are_over_each_run_of_looks() -> None:
    accuracy = some_accuracies(9, 7)
    by_look = np.array([mid_ranks(row) for row in accuracy.tolist()])
    for count in (1, 4, 9):
        expected = [by_look[first : first + count].mean(axis=0) for first in range(9 - count + 1)]
        np.testing.assert_allclose(windows(accuracy, count), expected)


def test_instances_count_alike() -> None:
    children, truth = some_children(16), some_accuracies(16)
    log = made_log(children, 6, instances=3)
    together = pruning(log, truth)
    alone = [pruning(log.where(instance=instance), truth) for instance in range(3)]
    assert together is not None
    assert together["instances"] == 3
    for number, row in enumerate(together["rows"]):
        assert row["recall"] == pytest.approx(np.mean([one["rows"][number]["recall"] for one in alone if one]))


def test_what_tells_nothing_does_as_chance_does_whatever_the_order_of_the_space() -> None:
    truth = fresh().permutation(64).astype(float)
    assert outcome(np.ones(64), truth) == pytest.approx((0.25, 0.5, 0.5))
    report = pruning(log_of(some_children(64), np.full((3, 64), 10.0)), truth)
    assert report is not None
    for row in report["rows"]:
        assert {name: row[name] for name in PERFECT} == row["last"] == report["chance"]
    assert report["chance"] == pytest.approx({"recall": 0.25, "best_kept": 0.5, "worst_dropped": 0.5})


def test_a_log_without_dense_looks_has_no_pruning() -> None:
    assert pruning(made_log(some_children(8), 0, epochs=4), some_accuracies(8)) is None


def test_two_children_are_enough() -> None:
    report = pruning(log_of(some_children(2), np.array([[50.0, 60.0]])), np.array([1.0, 2.0]))
    assert report is not None
    assert (report["worst"], report["kept"], report["best"]) == (1, 1, 1)
    assert report["rows"][0]["last"] == PERFECT


def published(shared: Path) -> tuple[Log, Numbers]:
    folder = shared / "data" / "deeper-insights"
    log = read_log(folder / "share_all_acc_last128.csv")
    return log, read_truth(folder / "gt64.csv", log).mean


def test_the_published_looks_give_the_published_recalls(shared: Path) -> None:
    report = pruning(*published(shared))
    assert report is not None
    rows = {row["aggregated"]: row for row in report["rows"]}
    assert (report["worst"], report["kept"], report["best"]) == (16, 32, 10)
    assert round(rows[1]["recall"], 2) == 0.65
    assert round(rows[128]["recall"], 2) == 0.81


def test_the_last_ten_published_looks_keep_all_of_the_best_and_drop_all_of_the_worst(shared: Path) -> None:
    report = pruning(*published(shared))
    assert report is not None
    ten = next(row for row in report["rows"] if row["aggregated"] == 10)
    assert (ten["last"]["best_kept"], ten["last"]["worst_dropped"]) == (1.0, 1.0)
    assert ten["best_kept"] < 1.0, "which was luck: other runs of ten looks lose one or two"
