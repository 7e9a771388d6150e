"""Supernets trained, against the same training written out with a network of its own for every child."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from cleave.errors import Interrupted
from cleave.net import one_hot
from cleave.study.record.problem import Study
from cleave.study.record.training import Training, learning_rate, make_supernet
from tests.recorder import Impatient
from tests.reference.study_training import PlainTraining, cosine, uses
from tests.study.small import doubled, doubles, small_study, trained

CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def statistic(name: str) -> bool:
    return "running_" in name or "num_batches" in name


POLICIES: dict[str, tuple[dict[str, Any], Callable[[str], bool]]] = {
    "all": ({}, lambda name: True),
    "prefix": (
        {"sharing.policy": "prefix", "sharing.cells": 1},
        lambda name: name.startswith(("blocks.stem0.", "blocks.stem1.", "blocks.cell0.")),
    ),
    "pattern": (
        {"sharing.policy": "pattern", "sharing.pattern": "stem|classifier|cell1"},
        lambda name: "stem" in name or "classifier" in name or "cell1" in name,
    ),
    "statistics": ({"norm.running": "child"}, lambda name: not statistic(name)),
    "nothing": ({"sharing.policy": "pattern", "sharing.pattern": "num_batches"}, lambda name: "num_batches" in name),
}
"""With what all children then share."""


@pytest.fixture(autouse=True)
def _doubles() -> Iterator[None]:
    with doubles():
        yield


def in_doubles(**changes: Any) -> Study:  # noqa: ANN401
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return doubled(small_study({"looks.dense": 0, "looks.every": 9, **dotted}))


def plain(study: Study, training: Training, shared: Callable[[str], bool], steps: int) -> PlainTraining:
    """The first steps by hand, from the same initial values."""
    settings = study.recipe.training
    network = make_supernet(study, training.instance, training.group).common
    twin = PlainTraining(network, [one_hot(arch) for arch in study.archs(training.group)], shared, settings.idle)
    per_epoch = -(-len(study.train) // settings.batch_size)
    for step in range(steps):
        rate = cosine(step // per_epoch, settings.epochs, settings.learning_rate, settings.learning_rate_min)
        batch = training.batches.batch(step)
        assert len(batch[1]) == (12 if step % per_epoch == per_epoch - 1 else 16)
        twin.step(training.order(step), batch, rate, settings.momentum, settings.weight_decay)
    return twin


@pytest.mark.parametrize("idle", ["frozen", "drift"])
@pytest.mark.parametrize("policy", POLICIES)
def test_after_some_epochs_all_weights_and_statistics_are_those_of_the_training_by_hand(policy: str, idle: str) -> None:
    changes, shared = POLICIES[policy]
    order = {"training.order": "reshuffled", "training.idle": idle, "training.epochs": 4}
    study = doubled(small_study({"looks.dense": 0, "looks.every": 9, **order, **changes}))
    training = trained(study)
    twin = plain(study, training, shared, steps=12)
    compared = 0
    for child, network in enumerate(training.supernet.networks):
        expected = twin.of(child).state_dict()
        for name, value in network.state_dict().items():
            if uses(twin.gates[child], twin.network, name):
                torch.testing.assert_close(value, expected[name], **CLOSE)
                compared += 1
    assert compared > 100


def test_copies_of_what_is_not_shared_have_momentum_of_their_own() -> None:
    changes, shared = POLICIES["prefix"]
    study = doubled(small_study({"looks.dense": 0, "looks.every": 9, "training.epochs": 4, **changes}))
    training = trained(study)
    twin = plain(study, training, shared, steps=12)
    found = training.record().state["momentum"]
    known = {id(parameter): name for name, parameter in training.weights.parameters.items()}
    for child, network in enumerate(training.supernet.networks):
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(found[known[id(parameter)]], twin.buffers[twin.place(child, name)], **CLOSE)


def moved(study: Study, steps: int) -> set[str]:
    """The shared parameters that so many steps change."""
    training = Training(study, 0, 0)
    before = {name: value.clone() for name, value in training.supernet.common.named_parameters()}
    for _ in range(steps):
        training.advance()
    after = dict(training.supernet.common.named_parameters())
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def test_idle_weights_are_frozen_or_drift() -> None:
    frozen, drift = (moved(in_doubles(training__idle=idle), 1) for idle in ("frozen", "drift"))
    assert not any("sep_conv" in name for name in frozen), "the first child is 111"
    assert {name for name in drift - frozen if "sep_conv" in name} == drift - frozen
    assert len(drift - frozen) == 2 * 3 * 4, "four convolutions on each of the edges of two cells"


@pytest.mark.parametrize("momentum", [0.1, 0.4, 0.9])
def test_running_statistics_take_the_asked_share_of_each_batch(momentum: float) -> None:
    study = in_doubles(norm__momentum=momentum)
    training = Training(study, 0, 0)
    stem = training.supernet.common.blocks["stem0"].op
    expected = torch.zeros(6)
    for step in range(3):
        seen: Tensor = stem[0](training.batches.batch(step)[0]).detach()
        expected = (1 - momentum) * expected + momentum * seen.mean(dim=(0, 2, 3))
        training.advance()
    torch.testing.assert_close(stem[1].running_mean, expected, **CLOSE)


def test_the_learning_rate_falls_along_the_cosine_epoch_by_epoch() -> None:
    study = in_doubles(training__epochs=4)
    training = Training(study, 0, 0)
    rates = []
    while training.step < training.steps:
        rates.append(training.rate(training.step))
        training.advance()
        assert training.weights.optimizer.param_groups[0]["lr"] == rates[-1]
    assert rates == pytest.approx([cosine(step // 3, 4, 0.025, 0.001) for step in range(12)])
    assert learning_rate(study.recipe.training, 4) == pytest.approx(0.001)


def test_each_group_is_trained_by_itself_and_sees_its_own_children_only() -> None:
    study = in_doubles(sharing__policy="groups", sharing__groups=2)
    for group, names in enumerate(study.divided):
        training = Training(study, 0, group)
        seen = {names[training.order(step)] for step in range(training.steps)}
        assert seen == set(names)
        while training.step < training.steps:
            training.advance()
        twin = plain(study, training, lambda name: True, steps=6)
        for name, value in training.supernet.common.state_dict().items():
            if any(uses(gates, twin.network, name) for gates in twin.gates):
                torch.testing.assert_close(value, twin.of(0).state_dict()[name], **CLOSE)


@pytest.mark.parametrize("policy", ["none", "groups"])
def test_all_supernets_of_an_instance_begin_with_the_same_values(policy: str) -> None:
    groups = {"sharing__groups": 4, "sharing__by": "shuffled"} if policy == "groups" else {}
    study = in_doubles(sharing__policy=policy, **groups)
    common: dict[str, Tensor] = {}
    for group in range(len(study.divided)):
        for name, value in make_supernet(study, 0, group).common.state_dict().items():
            assert torch.equal(common.setdefault(name, value), value), f"{name} of supernet {group}"


def test_without_sharing_a_child_is_trained_as_if_it_were_alone() -> None:
    study = in_doubles(sharing__policy="none")
    alone = trained(study, group=5)
    twin = plain(study, alone, lambda name: True, steps=6)
    for name, value in alone.supernet.networks[0].state_dict().items():
        torch.testing.assert_close(value, twin.of(0).state_dict()[name], **CLOSE)


def begin(study: Study, instance: int) -> tuple[dict[str, Tensor], Tensor, list[int]]:
    training = Training(study, instance, 0)
    order = [training.order(step) for step in range(16)]
    return training.supernet.state(), training.batches.batch(3)[0], order


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_instances_that_vary_in_order_have_equal_weights_and_mini_batches() -> None:
    study = in_doubles(vary="order", training__order="shuffled-once", instances=2)
    (weights, batch, order), (other_weights, other_batch, other_order) = begin(study, 0), begin(study, 1)
    assert equal(weights, other_weights)
    assert torch.equal(batch, other_batch)
    assert order != other_order


def test_instances_that_vary_in_weights_have_nothing_in_common() -> None:
    study = in_doubles(vary="weights", training__order="shuffled-once", instances=2)
    (weights, batch, order), (other_weights, other_batch, other_order) = begin(study, 0), begin(study, 1)
    assert not equal(weights, other_weights)
    assert not torch.equal(batch, other_batch)
    assert order != other_order


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_matched_budget_adds_up_to_that_of_one_supernet(count: int) -> None:
    each = {"sharing__policy": "groups", "sharing__groups": count, "training__epochs": 16}
    study, unmatched = in_doubles(**each, sharing__budget="matched"), in_doubles(**each)
    steps = [study.steps(group) for group in range(count)]
    assert abs(sum(steps) - 16 * 3) <= count / 2
    for group, names in enumerate(study.divided):
        assert steps[group] / len(names) == pytest.approx(16 * 3 / 8, abs=0.5)
        assert unmatched.steps(group) == 16 * 3
        training = Training(study, 0, group)
        for step in range(steps[group]):  # the cosine is walked to its end, in as many stairs
            assert training.rate(step) == pytest.approx(cosine(16 * step // steps[group], 16, 0.025, 0.001))


def test_a_saved_training_goes_on_as_if_nothing_had_happened() -> None:
    for policy in ("all", "prefix", "statistics"):
        study = doubled(small_study({**POLICIES[policy][0], "training.order": "iid", "looks.dense": 2}))
        whole = trained(study)
        begun = Training(study, 0, 0)
        for _ in range(int(torch.randint(1, 6, ()))):
            begun.advance()
        later = Training(study, 0, 0)
        later.restore(begun.record())
        while later.step < later.steps:
            later.advance()
        assert equal(whole.supernet.state(), later.supernet.state())
        assert later.looks == whole.looks


@pytest.mark.parametrize("changes", [{}, {"looks.dense": 0}, {"looks.statistics": ["tracked", "recalibrated"]}])
def test_a_look_that_was_left_in_the_middle_is_owed_and_taken_first(changes: dict[str, Any]) -> None:
    study = doubled(small_study({"looks.dense": 2, "data.report_test": True, **changes}))
    whole = trained(study)
    training, left = Training(study, 0, 0), 0
    while not training.done:
        try:
            training.advance(Impatient(2 * left))
        except Interrupted:
            assert training.owes_look
            left += 1
            steps, training, saved = training.step, Training(study, 0, 0), training.record()
            training.restore(saved)
            assert (training.step, training.owes_look, training.done) == (steps, True, False)
    assert left > 3
    assert equal(whole.supernet.state(), training.supernet.state())
    assert training.looks == whole.looks
