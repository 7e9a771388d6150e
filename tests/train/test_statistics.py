"""Copies of networks that go by other statistics."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cleave.net import Network, Norm, build, one_hot
from cleave.space import NetworkSize, find_space
from cleave.train import BATCH, INITIAL, RECALIBRATED, TRACKED, Statistics
from cleave.train.statistics import normalisations

SPACE = find_space("nasbench201")


def network(running: bool) -> Network:
    layout = SPACE.layout(NetworkSize(2, 1), 3)
    made = build(layout, SPACE.region, 4, int(torch.randint(10**6, ())), Norm(False, running, momentum=0.3)).double()
    for norm in normalisations(made):
        if norm.running_mean is not None:
            norm.running_mean.normal_()
    return made


def images() -> Tensor:
    return torch.randn(8, 3, 8, 8, dtype=torch.float64)


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("statistics", [TRACKED, BATCH, RECALIBRATED, INITIAL])
def test_a_copy_has_the_same_weights_and_where_they_are_not_tracked_statistics_of_its_own(
    statistics: Statistics, running: bool
) -> None:
    made = network(running)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    twin = statistics.of(made)
    weights = dict(twin.named_parameters())
    assert all(parameter is weights[name] for name, parameter in made.named_parameters())
    own = {id(buffer) for buffer in made.buffers()}
    assert all((id(buffer) in own) is statistics.tracked for buffer in twin.buffers())
    expected = running if statistics.tracked else statistics.running
    assert all((norm.running_mean is not None) is expected for norm in normalisations(twin))
    assert made.training
    assert not twin.training
    twin(images(), one_hot(SPACE.sample(SPACE.region, torch.Generator())))
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


@pytest.mark.parametrize("forgetting", [None, 0.3])
def test_what_is_measured_is_the_mean_over_the_batches_or_forgets(forgetting: float | None) -> None:
    norm, batches = nn.BatchNorm2d(3).double(), [images() * (1 + i) + i for i in range(4)]
    statistics = Statistics(running=True, calibrated=True, forgetting=forgetting)
    norm.running_mean, norm.running_var = torch.randn(3).double(), torch.rand(3).double()
    mean, var = torch.zeros(3).double(), torch.ones(3).double()
    with statistics.measuring(norm):
        for number, batch in enumerate(batches):
            norm(batch)
            share = forgetting or 1 / (1 + number)
            mean += share * (batch.mean(dim=(0, 2, 3)) - mean)
            var += share * (batch.var(dim=(0, 2, 3)) - var)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, var)
    assert not norm.training
