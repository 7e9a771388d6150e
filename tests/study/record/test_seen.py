"""What is seen of the children while a supernet is trained: when, of which child, and how much."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cleave.study.record.log import COLUMNS
from cleave.study.record.problem import Study
from cleave.study.record.seen import Look, to_log
from cleave.study.record.training import Training
from tests.reference.judge import plain_hits
from tests.study.small import rows, small_study, trained

STEPS = 9
"""Three epochs of three mini-batches."""
THREE: dict[str, Any] = {"training.epochs": 3, "looks.dense": 4}


def moments(looks: list[Look], dense: bool) -> list[tuple[int, int]]:
    return [(look.step, look.epoch) for look in looks if look.dense == dense]


def test_children_are_looked_at_after_every_epoch_and_after_each_of_the_last_mini_batches() -> None:
    looks = trained(small_study(THREE)).looks
    assert moments(looks, dense=False) == [(3, 1), (6, 2), (9, 3)]
    assert moments(looks, dense=True) == [(6, 2), (7, 3), (8, 3), (9, 3)]
    assert all(len(look.accuracy) == 8 for look in looks)


@pytest.mark.parametrize(("every", "expected"), [(2, [6, 9]), (3, [9]), (100, [9])])
def test_the_last_epoch_is_always_looked_at(every: int, expected: list[int]) -> None:
    looks = trained(small_study({**THREE, "looks.every": every, "looks.dense": 0})).looks
    assert [look.step for look in looks] == expected
    assert not any(look.dense for look in looks)


def test_more_dense_looks_than_mini_batches_are_one_after_each() -> None:
    looks = trained(small_study({**THREE, "looks.dense": 1000})).looks
    assert [step for step, _ in moments(looks, dense=True)] == list(range(1, STEPS + 1))


@pytest.mark.parametrize("order", ["fixed", "shuffled-once", "reshuffled", "iid"])
def test_a_look_names_the_child_that_was_just_trained(order: str) -> None:
    study = small_study({**THREE, "training.order": order, "looks.dense": STEPS})
    training = trained(study)
    expected = [study.children[training.order(step)] for step in range(STEPS)]
    assert [look.trained for look in training.looks if look.dense] == expected


@pytest.mark.parametrize("sharing", [{}, {"sharing.policy": "prefix", "sharing.cells": 1}, {"norm.running": "child"}])
def test_accuracies_are_those_of_each_child_judged_by_itself(sharing: dict[str, Any]) -> None:
    study = small_study({**THREE, "looks.statistics": ["tracked", "batch"], **sharing})
    training = Training(study, 0, 0)
    while training.step < training.steps:
        training.advance()
        new = [look for look in training.looks if look.step == training.step and look.dense]
        for look, kind in zip(new, ("tracked", "batch"), strict=False):
            hits = plain_hits(training.supernet, kind, list(study.exam(study.judged)), [])
            assert look.accuracy == [100 * hit / len(study.judged) for hit in hits]
        assert len(new) == (2 if training.step > STEPS - 4 else 0)


def test_recalibrated_statistics_are_of_training_batches() -> None:
    study = small_study({**THREE, "looks.statistics": ["recalibrated"], "looks.calibration": 2})
    training = trained(study)
    calibration = [study.stream(study.weights(0), "recalibrate").batch(number) for number in range(2)]
    hits = plain_hits(training.supernet, "recalibrated", list(study.exam(study.judged)), calibration)
    assert training.looks[-1].accuracy == [100 * hit / len(study.judged) for hit in hits]


def test_looking_changes_nothing_of_the_training_and_kinds_not_each_other() -> None:
    settings = {**THREE, "seed": int(torch.randint(10**6, ())), "training.order": "iid"}
    often = small_study({**settings, "looks.statistics": ["recalibrated", "tracked", "batch"]})

    def same_images(changes: dict[str, Any]) -> Study:
        made = small_study({**settings, **changes})
        return replace(made, train=often.train, judged=often.judged, normalise=often.normalise)

    seen = trained(often)
    seldom = trained(same_images({"looks.dense": 0, "looks.every": 9}))
    for name, value in seen.supernet.state().items():
        assert torch.equal(value, seldom.supernet.state()[name]), name
    for kind, called in (("tracked", "running"), ("batch", "batch"), ("recalibrated", "recalibrated")):
        alone = same_images({"looks.statistics": [kind]})
        expected = rows(seen.looks, often, statistics=called)
        assert rows(trained(alone).looks, alone) == expected
        assert len(expected) == 8 * (4 + 3)


def test_statistics_of_each_childs_own_are_called_so() -> None:
    looks = trained(small_study({"norm.running": "child", "looks.statistics": ["tracked", "batch"]})).looks
    assert {look.statistics for look in looks} == {"child", "batch"}


@pytest.mark.parametrize("kinds", [["tracked"], ["batch", "tracked"]])
def test_test_images_are_looked_at_once_after_the_last_mini_batch(kinds: list[str]) -> None:
    study = small_study({**THREE, "looks.statistics": kinds}, reported=9)
    looks = trained(study).looks
    reported = [look for look in looks if look.images == "test"]
    assert [(look.step, look.dense) for look in reported] == [(STEPS, False)]
    assert all(accuracy * 9 / 100 == pytest.approx(round(accuracy * 9 / 100)) for accuracy in reported[0].accuracy)
    assert {look.images for look in looks} == {"held-out", "test"}


def test_rows_hold_what_looks_do() -> None:
    study = small_study(THREE)
    looks = trained(study).looks
    log = to_log(looks, "made", study.meta(), instance=3, group=5)
    assert set(log.rows) == set(COLUMNS)
    assert set(log.rows["instance"].tolist()) == {3}
    assert set(log.rows["group"].tolist()) == {5}
    found = log.looks(3, dense=True)
    assert found.steps.tolist() == [6, 7, 8, 9]
    expected = [look.accuracy for look in looks if look.dense]
    assert np.array_equal(found.accuracy, np.array(expected))
    assert found.trained == tuple(look.trained for look in looks if look.dense)


def test_a_look_is_saved_and_read_again_as_it_was() -> None:
    for look in trained(small_study(THREE)).looks:
        assert Look(*look.to_list()) == look
