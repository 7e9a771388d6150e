"""Rankings from a log: what it offers, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from cleave.study.analysis.rankings import cycle_averages, rankings
from cleave.study.record.views import see
from tests.study.made import joined, log_of, made_log, shuffled_rows, some_accuracies, some_children


def test_each_ranking_is_the_mean_that_its_name_says() -> None:
    children = some_children(6)
    dense, epochs = some_accuracies(9, 6), some_accuracies(14, 6)
    log = joined(children, log_of(children, dense), log_of(children, epochs, dense=False))
    found = rankings(see(log))
    wanted = {
        "snapshot": epochs[-1],
        "cycle average": dense[3:].mean(axis=0),
        "dense average": dense.mean(axis=0),
        "epoch average": epochs[4:].mean(axis=0),
    }
    assert found.keys() == wanted.keys()
    for name, scores in found.items():
        assert scores == pytest.approx(wanted[name][np.newaxis])


def test_only_what_the_log_offers_is_listed() -> None:
    children = some_children(5)
    assert list(rankings(see(made_log(children, 4)))) == ["snapshot", "dense average"]
    assert list(rankings(see(made_log(children, 5)))) == ["snapshot", "cycle average", "dense average"]
    assert list(rankings(see(made_log(children, 0, epochs=2)))) == ["snapshot", "epoch average"]
    tuned = made_log(children, 0, epochs=2, tuned=(10, 5))
    assert list(rankings(see(tuned))) == ["snapshot", "epoch average", "tuned 5", "tuned 10"]


def test_instances_are_rows_and_the_order_of_a_logs_rows_does_not_matter() -> None:
    log = made_log(some_children(6), 8, instances=3, epochs=2, tuned=(4,))
    found, other = rankings(see(log)), rankings(see(shuffled_rows(log)))
    for name, scores in found.items():
        assert scores.shape == (3, 6)
        assert (scores == other[name]).all()
    assert (found["snapshot"][1] == log.looks(1, dense=False).accuracy[-1]).all()


def test_children_tuned_alone_are_those_of_the_last_snapshot() -> None:
    children = some_children(4)
    first, second = some_accuracies(1, 4), some_accuracies(1, 4)
    snapshots = [
        log_of(children, accuracy, steps=[step], dense=False, tuned=7)
        for step, accuracy in ((20, second), (10, first))
    ]  # fmt: skip
    found = rankings(see(joined(children, *snapshots)))
    assert list(found) == ["tuned 7"]
    assert (found["tuned 7"] == second).all()


def test_cycle_averages_are_over_every_run_of_looks() -> None:
    accuracy = some_accuracies(11, 4)
    looks = log_of(some_children(4), accuracy).looks(0, dense=True)
    assert cycle_averages(looks) == pytest.approx(np.array([accuracy[i : i + 4].mean(axis=0) for i in range(8)]))
    assert cycle_averages(looks, 11) == pytest.approx(accuracy.mean(axis=0, keepdims=True))
    assert cycle_averages(looks, 12).shape == (0, 4)


def test_averages_of_the_same_accuracies_in_another_order_are_equal() -> None:
    column = some_accuracies(50)
    accuracy = np.stack([np.random.default_rng(seed).permutation(column) / 3 for seed in range(6)], axis=1)
    found = rankings(see(log_of(some_children(6), accuracy)))["dense average"]
    assert len(set(found[0].tolist())) == 1
