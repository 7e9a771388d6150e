"""Expected costs, compared with the mean over all architectures."""

from __future__ import annotations

from math import prod

import pytest
import torch
from torch import Tensor

from cleave.net.cost import costs
from cleave.space import Limited, NetworkSize, Space
from cleave.space.nb201 import NASBench201
from tests.elastic import ToyElastic
from tests.toys import ToyCells64, ToyDropping, ToyMobileNet

SIZE, IMAGE = NetworkSize(4, 1), (3, 8, 8)


def weights_of(space: Space) -> dict[str, Tensor]:
    logits = {choice.name: torch.randn(len(choice.candidates), dtype=torch.float64) for choice in space.choices}
    return {choice: each.softmax(dim=0).requires_grad_() for choice, each in logits.items()}


@pytest.mark.parametrize("kind", [ToyMobileNet, ToyCells64, ToyDropping, ToyElastic])
def test_the_excess_is_that_of_the_mean_over_architectures_by_their_products(kind: type[Space]) -> None:
    space, what = kind(), ("multiply_adds", "parameters")
    cost, region = costs(space, SIZE, IMAGE, 5), space.region
    everything = list(space.every(region))
    figures = torch.tensor([[getattr(cost.of(arch), each) for each in what] for arch in everything]).double()
    limits = figures.quantile(0.3, dim=0).tolist()
    limited = Limited(space, cost, dict(zip(what, limits, strict=True)))
    weights = weights_of(space)
    shares = torch.stack(
        [
            prod((weights[c][region.allowed[c].index(each)] for c, each in arch.items()), start=torch.ones(()).double())
            for arch in everything
        ]
    )
    wanted = ((shares / shares.sum()) @ figures / torch.tensor(limits) - 1).clamp(min=0).sum()
    found = limited.excess(region, weights)
    torch.testing.assert_close(found, wanted)
    for one, other in zip(
        *(torch.autograd.grad(each, list(weights.values())) for each in (found, wanted)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_a_space_without_limits_has_no_excess() -> None:
    space = NASBench201()
    assert space.excess(space.region, weights_of(space)) is None
    assert space.cost_of(space.sample(space.region, torch.Generator())) == {}
