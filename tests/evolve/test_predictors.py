"""Predictors: how architectures are written as numbers, and what is learned of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from cleave.evolve.predictors import PENALTY, Encoding, perceptron, ridge
from cleave.space import Arch, Space, find_space
from cleave.space.sample import distinct
from cleave.stats.kendall import kendall
from tests.elastic import RaggedElastic
from tests.fresh import fresh

Fit = Callable[[Tensor, Sequence[float], int], Callable[[Tensor], Tensor]]
SPACES = [find_space("nasbench201"), find_space("darts"), RaggedElastic()]


def encoding(space: Space) -> Encoding:
    return Encoding(space.choices, space.layout(space.paper_size, 3))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_there_is_a_one_for_each_choice_that_makes_a_difference(space: Space) -> None:
    archs = distinct(space, space.region, 20, torch.Generator().manual_seed(0))
    live = [space.layout(space.paper_size, 3).live(arch) for arch in archs]
    features = encoding(space)(archs)
    assert features.shape == (len(archs), sum(len(choice.candidates) for choice in space.choices))
    for row, arch, chosen in zip(features.tolist(), archs, live, strict=True):
        flags = [
            float(choice.name in chosen and arch.get(choice.name) == candidate)
            for choice in space.choices
            for candidate in choice.candidates
        ]
        assert row == flags


def test_layers_that_do_not_run_are_all_zero() -> None:
    shallow = {"depth": "1", "kernel0": "3", "expansion0": "2"}
    assert encoding(RaggedElastic())([shallow]).sum() == 3


def test_ridge_regression_is_that_of_the_textbook() -> None:
    """Least squares with as many rows more as there are features, without a penalty on the constant."""
    random = fresh()
    inputs, asked = random.integers(0, 2, (30, 8)).astype(float), random.integers(0, 2, (5, 8)).astype(float)
    targets = random.uniform(10, 90, 30)
    rows = np.vstack([np.hstack([inputs, np.ones((30, 1))]), np.hstack([PENALTY**0.5 * np.eye(8), np.zeros((8, 1))])])
    deviation = targets.std()  # the penalty is on weights of targets with a deviation of 1
    weights = np.linalg.lstsq(rows, np.concatenate([targets / deviation, np.zeros(8)]))[0]
    expected = deviation * (asked @ weights[:-1] + weights[-1])
    predict = ridge(torch.as_tensor(inputs), targets.tolist(), 0)
    assert predict(torch.as_tensor(asked)).numpy() == pytest.approx(expected)


@pytest.mark.parametrize("fit", [ridge, perceptron])
def test_an_order_is_learned_that_was_not_seen(fit: Fit) -> None:
    space = find_space("mobilenet-proxyless")
    archs = distinct(space, space.region, 240, torch.Generator().manual_seed(1))
    accuracies = [accuracy(arch) for arch in archs]
    features = encoding(space)(archs)
    predicted = fit(features[:200], accuracies[:200], 0)(features[200:])
    assert kendall(predicted.numpy(), np.array(accuracies[200:])) > 0.5


def accuracy(arch: Arch) -> float:
    """The larger the better, at some depth of the network more than at others."""
    return 50 + sum(
        (number % 5) * len(op.strip("ezro")) * int(op[-1] == "6") for number, op in enumerate(arch.values())
    )


def test_a_perceptron_follows_from_its_seed_and_leaves_torchs_own_alone() -> None:
    space = RaggedElastic()
    archs = distinct(space, space.region, 30, torch.Generator().manual_seed(1))
    features, accuracies = encoding(space)(archs), [float(len(arch)) for arch in archs]
    before = torch.get_rng_state()
    one, again, other = (perceptron(features, accuracies, seed)(features) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("fit", [ridge, perceptron])
def test_equal_accuracies_are_learned_as_such(fit: Fit) -> None:
    features = torch.eye(6)
    assert fit(features, [40.0] * 6, 0)(features).tolist() == pytest.approx([40.0] * 6, abs=1e-3)
