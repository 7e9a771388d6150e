"""Costs by addition, against networks that are built, and against the published table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cleave.bench.table import Table
from cleave.net import Norm, build, count_parameters, one_hot
from cleave.net.cost import Cost, costs
from cleave.net.ops import AveragePool
from cleave.space import Arch, NetworkSize, Region, Space
from cleave.space.nb201 import NASBench201
from tests.toys import TOYS

SPACES = (NASBench201, *TOYS)
Size = tuple[int, int, int]


def some_arch(space: Space) -> Arch:
    return {choice.name: choice.candidates[int(torch.randint(len(choice.candidates), ()))] for choice in space.choices}


def built(space: Space, arch: Arch, size: NetworkSize, image: Size, classes: int) -> Cost:
    """The cost of the architecture's own network, with multiply-adds as torch counts them (as 2 operations each)."""
    layout = space.layout(size, image[0])
    network = build(layout, Region.of(arch), classes, seed=0, norm=Norm(affine=True)).eval()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, AveragePool):  # its convolution stands for a pooling, which has no multiply-adds
                setattr(module, name, nn.AvgPool2d(3, child.stride, padding=1))
    network.train()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.randn(2, *image), one_hot(arch))
    return Cost(count_parameters(network), counter.get_total_flops() // 4)  # of two images


@pytest.mark.parametrize("kind", SPACES)
def test_the_parts_add_up_to_the_network_that_is_built(kind: type[Space]) -> None:
    space = kind()
    for _ in range(3):
        channels, classes = (int(number) for number in torch.randint(2, 6, (2,)))
        image = (int(torch.randint(1, 4, ())), 16, 16)
        size, arch = NetworkSize(channels, int(torch.randint(1, 3, ()))), some_arch(space)
        assert costs(space, size, image, classes).of(arch) == built(space, arch, size, image, classes), arch


def test_fewer_operations_cost_what_they_cost_among_all() -> None:
    whole, part = NASBench201(), NASBench201(["skip_connect", "nor_conv_3x3"])
    arch = some_arch(part)
    assert costs(part).of(arch) == costs(whole).of(arch)


def test_what_has_no_weights_adds_nothing() -> None:
    added = costs(NASBench201()).added
    free = {cost for (_, name), cost in added.items() if not name.startswith("nor_conv")}
    assert free == {Cost(0, 0)}
    assert all(cost.parameters > 0 for (_, name), cost in added.items() if name.startswith("nor_conv"))


def test_the_parameters_are_those_of_the_published_table(shared: Path) -> None:
    """All but one row in a hundred: there the table lists the network with one operation on one edge changed."""
    table = Table.load(shared / "data" / "nasbench201" / "nb201_tss.npz")
    space = NASBench201()
    cost = costs(space)
    ours = np.array([cost.of(space.parse(table.arch(index))).parameters for index in range(len(table))])
    assert ours[:2].tolist() == [129_306, 802_426]
    off = np.abs(ours - 1e6 * table.columns["params_mb_cifar10"].astype(np.float64)).round(-1)
    operations = {round(added.parameters, -1) for added in cost.added.values()}
    assert np.mean(off == 0) > 0.99
    assert set(off.tolist()) <= operations
