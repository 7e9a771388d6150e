"""Copies of networks that go by other statistics."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cleave.net import Network, Norm, build, one_hot
from cleave.space import NetworkSize, find_space
from cleave.train import BATCH, INITIAL, RECALIBRATED, TRACKED, Statistics
from cleave.train.statistics import Following, measured, normalisations, put_back
from tests.reference.judge import of_batches

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


@pytest.mark.parametrize("shares", [None, (0.3,), (0.9, 0.9, 0.2)])
def test_what_is_measured_is_the_mean_by_images_over_the_batches_or_forgets(shares: tuple[float, ...] | None) -> None:
    norm, statistics = nn.BatchNorm2d(3).double(), Statistics(running=True, calibrated=True, shares=shares)
    batches = [images()[:size] * (1 + number) + number for number, size in enumerate((5, 8, 2, 7))]
    norm.running_mean, norm.running_var = torch.randn(3).double(), torch.rand(3).double()
    with statistics.measuring(norm, [norm]) as count:
        for batch in batches:
            count(len(batch))
            norm(batch)
    mean, var = of_batches(batches, shares)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, var)
    assert not norm.training


def test_of_batches_of_one_size_the_mean_is_torchs_own_to_the_last_bit() -> None:
    own, torchs = nn.BatchNorm2d(3), nn.BatchNorm2d(3, momentum=None)
    batches = [torch.randn(6, 3, 4, 4) for _ in range(7)]
    with RECALIBRATED.measuring(own, [own]) as count:
        for batch in batches:
            count(len(batch))
            own(batch)
            torchs(batch)
    assert torch.equal(measured([own])[0], measured([torchs])[0])
    assert torch.equal(measured([own])[1], measured([torchs])[1])


def test_statistics_that_were_measured_are_put_back() -> None:
    norms = [nn.BatchNorm2d(3), nn.BatchNorm2d(2)]
    norms[0](torch.randn(4, 3, 2, 2))
    known, before = measured(norms), {key: value.clone() for key, value in norms[0].state_dict().items()}
    norms[0](torch.randn(4, 3, 2, 2))
    put_back(norms, known)
    assert all(torch.equal(value, before[key]) for key, value in norms[0].state_dict().items())


def test_running_statistics_begin_as_the_plain_mean_and_go_on_as_a_moving_average() -> None:
    norms = nn.Sequential(nn.BatchNorm1d(3, momentum=0.3), nn.BatchNorm1d(3, momentum=None)).double()
    batches = torch.randn(9, 5, 3, dtype=torch.float64) * torch.rand(9, 1, 1, dtype=torch.float64)
    following, expected = Following(norms), torch.zeros(3, dtype=torch.float64)
    for seen, batch in enumerate(batches):
        following.take(seen)
        norms[0](batch)
        mean = batch.mean(dim=0)
        expected = (expected * seen + mean) / (seen + 1) if seen < 3 else 0.7 * expected + 0.3 * mean
        torch.testing.assert_close(norms[0].running_mean, expected)
    assert (norms[0].momentum, norms[1].momentum) == (0.3, None)
