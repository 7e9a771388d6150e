"""What a study's parts cost, against multiply-adds that are counted as they happen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cleave.run.generations import Record
from cleave.study.record.ledger import entry, walk
from cleave.study.record.problem import Study
from cleave.study.record.training import Training
from cleave.study.record.tuning import Tuning
from cleave.train import TRACKED
from tests.study.small import small_study, trained

IMAGE = (3, 8, 8)


class Counter:
    """Multiply-adds of convolutions and linear layers of these networks, with and without gradients."""

    def __init__(self, networks: list[nn.Module]) -> None:
        self.training = self.looking = 0
        layers = {layer for each in networks for layer in each.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))}
        for layer in layers:
            layer.register_forward_hook(self.see)

    def __deepcopy__(self, memo: object) -> Counter:
        """Copies of the networks, by which children are judged, are counted too."""
        return self

    def see(self, layer: nn.Module, inputs: object, output: Tensor) -> None:
        assert isinstance(layer.weight, Tensor)
        work = output.numel() * layer.weight[0].numel()
        if torch.is_grad_enabled():
            self.training += work
        else:
            self.looking += work


def counted(study: Study) -> tuple[Training, Counter]:
    training = Training(study, 0, 0)
    counter = Counter(list(training.supernet.networks))
    while training.step < training.steps:
        training.advance()
    return training, counter


SHARINGS: dict[str, dict[str, Any]] = {
    "all": {},
    "prefix": {"sharing.policy": "prefix", "sharing.cells": 1},
    "pattern": {"sharing.policy": "pattern", "sharing.pattern": "Conv2d"},
    "groups": {"sharing.policy": "groups", "sharing.groups": 3},
    "statistics": {"norm.running": "child"},
}


@pytest.mark.parametrize("sharing", SHARINGS)
def test_the_work_of_a_training_is_what_its_layers_do(sharing: str) -> None:
    study = small_study({**SHARINGS[sharing], "training.order": "iid", "looks.dense": 2})
    training, counter = counted(study)
    looked = counter.looking  # an entry walks through the children once more
    told = entry(study, "it", training, seconds=1.23456)
    assert (told["what"], told["mini_batches"], told["seconds"]) == ("it", 6, 1.235)
    assert told["per_child"] == 6 / len(study.divided[0])
    assert told["train_multiply_adds"] == 3 * counter.training
    assert told["evaluation_multiply_adds"] == looked
    assert told["evaluation_multiply_adds"] <= told["evaluation_multiply_adds_plainly"]
    shares_a_beginning = sharing in ("all", "prefix", "groups")  # with statistics of their own nothing is the same
    assert shares_a_beginning == (told["evaluation_multiply_adds"] < told["evaluation_multiply_adds_plainly"])


def plainly(study: Study, training: Training) -> int:
    """One image through every child by itself."""
    counter = Counter(list(training.supernet.networks))
    with torch.no_grad():
        for network, gates in zip(training.supernet.networks, training.supernet.gates, strict=True):
            network(torch.zeros(1, *IMAGE), gates)
    return counter.looking


def test_looking_plainly_is_every_child_at_every_image() -> None:
    study = small_study({"looks.dense": 2, "looks.every": 2}, reported=7)
    training = trained(study)
    images = 2 * 12 + 7  # after the last two mini-batches, the second of which ends the last epoch; then the test
    told = entry(study, "it", training, 1.0)
    assert told["evaluation_multiply_adds_plainly"] == images * plainly(study, training)


def test_calibration_is_work_too() -> None:
    changes = {"looks.dense": 2, "looks.every": 2, "looks.statistics": ["recalibrated"], "looks.calibration": 3}
    study = small_study(changes)
    training = trained(study)
    told = entry(study, "it", training, 1.0)
    assert told["evaluation_multiply_adds_plainly"] == 2 * (12 + 3 * 16) * plainly(study, training)


def test_a_tuning_is_mini_batches_of_every_child_alone() -> None:
    study = small_study({"tune.epochs": [1], "tune.batches": 3})
    training = trained(study)
    tuning = Tuning(study, 0, 0, Record(training.supernet.state(), {}, {"step": 3, "epoch": 1, "rate": 0.01}))
    told = entry(study, "it", tuning, 1.0)
    each = plainly(study, training)
    assert told["mini_batches"] == 3 * 8
    assert told["per_child"] == 3
    assert told["train_multiply_adds"] == 3 * 3 * 16 * each
    assert told["evaluation_multiply_adds"] == told["evaluation_multiply_adds_plainly"] == 3 * 12 * each


def test_looking_at_all_64_at_the_small_size_takes_less_than_half_of_looking_at_each() -> None:
    changes = {"space.ops": None, "space.channels": 8, "space.cells": 4, "looks.dense": 0}
    study = small_study(changes)
    training = Training(study, 0, 0)
    assert len(study.children) == 64
    assert 2 * walk(training.supernet, TRACKED, IMAGE) < plainly(study, training)
