"""Children trained on alone from a snapshot, against the continuation written out."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
import torch
from torch import nn

from cleave.errors import Interrupted
from cleave.net import one_hot
from cleave.run.generations import Record
from cleave.study.record.problem import Study
from cleave.study.record.training import Training
from cleave.study.record.tuning import Tuning
from tests.recorder import Impatient
from tests.reference.study_training import cosine, loss_by_hand
from tests.study.small import doubled, doubles, rows, small_study

BATCHES = 3
SHARINGS = {
    "all": {},
    "prefix": {"sharing.policy": "prefix", "sharing.cells": 1},
    "child": {"norm.running": "child"},
    "groups": {"sharing.policy": "groups", "sharing.groups": 2},
}


@pytest.fixture(autouse=True)
def _doubles() -> Iterator[None]:
    with doubles():
        yield


def snapshots(training: Training) -> dict[int, Record]:
    """After each epoch."""
    found = {}
    while training.step < training.steps:
        training.advance()
        if training.ends_epoch:
            snapshot = training.snapshot()
            found[training.epoch] = deepcopy(snapshot)
    return found


def tuned(study: Study, snapshot: Record, group: int) -> Tuning:
    tuning = Tuning(study, 0, group, snapshot)
    while tuning.step < tuning.steps:
        tuning.advance()
    return tuning


def study_of(sharing: str) -> Study:
    changes = {"tune.epochs": [1, 2], "tune.batches": BATCHES, "training.epochs": 3, "looks.dense": 0}
    return doubled(small_study({**changes, **SHARINGS[sharing]}))


def by_hand(study: Study, start: nn.Module, child: str, epoch: int) -> list[float]:
    """The accuracies of a child after each mini-batch alone: fresh momentum, the rate of the next epoch."""
    network, gates, settings = deepcopy(start), one_hot(study.space.parse(child)), study.recipe.training
    rate = cosine(epoch, settings.epochs, settings.learning_rate, settings.learning_rate_min)
    buffers: dict[str, torch.Tensor] = {}
    batches = study.stream(study.weights(0), f"tune {epoch}")
    found = []
    for number in range(BATCHES):
        network.zero_grad()
        images, labels = batches.batch(number)
        loss_by_hand(network.train()(images, gates), labels).backward()
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if parameter.grad is not None:
                    pull = parameter.grad + settings.weight_decay * parameter
                    buffers[name] = settings.momentum * buffers[name] + pull if name in buffers else pull
                    parameter -= rate * buffers[name]
            hits = [network.eval()(x, gates).argmax(dim=1) == y for x, y in study.exam(study.judged)]
        found.append(100 * float(torch.cat(hits).double().mean()))
    return found


@pytest.mark.parametrize("sharing", SHARINGS)
def test_every_child_goes_on_alone_from_every_snapshot(sharing: str) -> None:
    study = study_of(sharing)
    group = len(study.divided) - 1
    training = Training(study, 0, group)
    for epoch, snapshot in snapshots(training).items():
        if epoch == 3:
            continue
        tuning = tuned(study, snapshot, group)
        begun = Training(study, 0, group).supernet
        begun.load(snapshot.weights)
        for child, network in zip(study.divided[group], begun.networks, strict=True):
            looks = [look for look in tuning.looks if look.children == [child]]
            assert [look.tuned for look in looks] == [1, 2, 3]
            assert [look.accuracy[0] for look in looks] == pytest.approx(by_hand(study, network, child, epoch))
            for look in looks:
                assert (look.epoch, look.step, look.trained, look.dense) == (epoch, 3 * epoch, child, False)
        assert len(tuning.looks) == BATCHES * len(study.divided[group])


def test_tuning_changes_neither_the_snapshot_nor_the_supernet() -> None:
    study = study_of("prefix")
    training = Training(study, 0, 0)
    kept = snapshots(training)
    weights = {name: value.clone() for name, value in kept[1].weights.items()}
    looks, after = list(training.looks), {name: value.clone() for name, value in training.supernet.state().items()}
    tuning = tuned(study, kept[1], 0)
    assert all(torch.equal(value, weights[name]) for name, value in kept[1].weights.items())
    assert all(torch.equal(value, weights[name]) for name, value in tuning.supernet.state().items())
    assert all(torch.equal(value, after[name]) for name, value in training.supernet.state().items())
    assert training.looks == looks


def test_tuning_that_was_saved_goes_on_to_the_same_rows() -> None:
    study = study_of("all")
    snapshot = snapshots(Training(study, 0, 0))[2]
    whole, begun = tuned(study, snapshot, 0), Tuning(study, 0, 0, snapshot)
    for _ in range(int(torch.randint(1, 8, ()))):
        begun.advance()
    later = Tuning(study, 0, 0, snapshot)
    later.restore(begun.record())
    while later.step < later.steps:
        later.advance()
    assert rows(later.looks, study) == rows(whole.looks, study)


def test_a_snapshot_tells_when_it_was_taken_and_the_rate_that_was_reached() -> None:
    kept = snapshots(Training(study_of("all"), 0, 0))
    assert {epoch: record.meta["step"] for epoch, record in kept.items()} == {1: 3, 2: 6, 3: 9}
    assert [record.meta["rate"] for record in kept.values()] == pytest.approx(
        [cosine(epoch, 3, 0.025, 0.001) for epoch in (1, 2, 3)]
    )


def test_a_child_that_is_left_in_the_middle_is_begun_anew() -> None:
    study = study_of("prefix")
    snapshot = snapshots(Training(study, 0, 0))[1]
    whole, tuning, left = tuned(study, snapshot, 0), Tuning(study, 0, 0, snapshot), 0
    for patience in 8 * [*range(BATCHES + 1)]:
        before = len(tuning.looks)
        try:
            tuning.advance(Impatient(patience))
        except Interrupted:
            left += 1
            assert len(tuning.looks) == before
            saved, tuning = tuning.record(), Tuning(study, 0, 0, snapshot)
            tuning.restore(saved)
    assert tuning.done
    assert left == 8 * BATCHES
    assert rows(tuning.looks, study) == rows(whole.looks, study)
