"""Costs by addition, against networks that are built, and against the published table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cleave.bench.table import Table
from cleave.net import Norm, build, count_parameters, extract, one_hot
from cleave.net.cost import Cost, costs, weights
from cleave.net.count import MultiplyAdds
from cleave.ops.library import AveragePool
from cleave.space import Arch, NetworkSize, Region, Space
from cleave.space.cells64 import Cells64
from cleave.space.darts import Darts, DartsSpaceSettings
from cleave.space.mobilenet import MobileNetProxyless
from cleave.space.nb201 import NASBench201
from tests.deploy.made import Made
from tests.elastic import ToyElastic
from tests.toys import TOYS

SPACES = (NASBench201, Darts, *TOYS)
Size = tuple[int, int, int]


def some_arch(space: Space) -> Arch:
    return {choice.name: choice.candidates[int(torch.randint(len(choice.candidates), ()))] for choice in space.choices}


def sized(space: Space, channels: int, cells: int) -> Any:  # noqa: ANN401
    """A size of its networks; a DARTS network has two cells more, which halve the image."""
    if isinstance(space, Darts):
        return DartsSpaceSettings(channels=channels, cells=2 + cells)
    return NetworkSize(channels, cells)


def built(space: Space, arch: Arch, size: Any, image: Size, classes: int) -> Cost:  # noqa: ANN401
    """The cost of the architecture's own network, with multiply-adds as torch counts them (as 2 operations each)."""
    layout = replace(space.layout(size, image[0]), auxiliary=None)
    network = extract(build(layout, Region.of(arch), classes, seed=0, norm=Norm(affine=True)), arch)
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
        size, arch = sized(space, channels, int(torch.randint(1, 3, ()))), some_arch(space)
        assert costs(space, size, image, classes).of(arch) == built(space, arch, size, image, classes), arch


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("what", ["parameters", "multiply_adds"])
def test_the_extremes_are_the_least_and_the_most_of_many_architectures(kind: type[Space], what: str) -> None:
    space = kind()
    found = costs(space, sized(space, 4, 1), (3, 8, 8), classes=3)
    least, most = found.extremes(space.parts(space.region), what)
    generator = torch.Generator().manual_seed(int(torch.randint(10**6, ())))
    numbers = [getattr(found.of(space.uniform(space.region, generator)), what) for _ in range(200)]
    assert least <= min(numbers)
    assert max(numbers) <= most
    if space.count(space.region) <= 4096:
        numbers = [getattr(found.of(arch), what) for arch in space.every(space.region)]
        assert (least, most) == (min(numbers), max(numbers))


@pytest.mark.parametrize("kind", [*SPACES, MobileNetProxyless])
@pytest.mark.parametrize("what", ["parameters", "multiply_adds"])
def test_milliseconds_add_up_like_any_other_figure(kind: type[Space], what: str) -> None:
    """Where a unit takes as many as it has of another figure: no part of a network is left out, and none is twice."""
    space = kind()
    made = Made(lambda unit: float(getattr(unit, what)), {}, base=0.5)
    size = space.usual_size if kind is MobileNetProxyless else sized(space, 4, 1)
    known = costs(space, size, (3, 16, 16), 3, latency=made)
    for _ in range(3):
        cost = known.of(some_arch(space))
        assert cost.milliseconds == 0.5 + getattr(cost, what)
        assert isinstance(getattr(cost, what), int)
    ends = known.extremes(space.parts(space.region), what)
    assert known.extremes(space.parts(space.region), "milliseconds") == tuple(0.5 + end for end in ends)


def test_fewer_operations_cost_what_they_cost_among_all() -> None:
    whole, part = NASBench201(), NASBench201(["skip_connect", "nor_conv_3x3"])
    arch = some_arch(part)
    assert costs(part).of(arch) == costs(whole).of(arch)


def test_what_has_no_weights_adds_nothing() -> None:
    space = NASBench201()
    found = costs(space)
    for choice in space.choices:
        (table,) = [table for table in found.tables if table.choices == (choice.name,)]
        added = {name: table.of({choice.name: name}) for name in choice.candidates}
        assert {cost for name, cost in added.items() if not name.startswith("nor_conv")} == {Cost(0, 0)}
        assert all(cost.parameters > 0 for name, cost in added.items() if name.startswith("nor_conv"))


def test_the_parameters_are_those_of_the_published_table(shared: Path) -> None:
    """All but one row in a hundred: there the table lists the network with one operation on one edge changed."""
    table = Table.load(shared / "data" / "nasbench201" / "nb201_tss.npz")
    space = NASBench201()
    cost = costs(space)
    ours = np.array([cost.of(space.parse(table.arch(index))).parameters for index in range(len(table))])
    assert ours[:2].tolist() == [129_306, 802_426]
    off = np.abs(ours - 1e6 * table.columns["params_mb_cifar10"].astype(np.float64)).round(-1)
    operations = {
        round(table.of({choice.name: name}).parameters, -1)
        for table, choice in zip(cost.tables, space.choices, strict=True)
        for name in choice.candidates
    }
    assert np.mean(off == 0) > 0.99
    assert set(off.tolist()) <= operations


def test_pooling_has_nothing_to_learn_and_convolutions_have() -> None:
    for space in (NASBench201(), Cells64()):
        known = weights(space)
        for name in space.choices[0].candidates:
            arch = dict.fromkeys((choice.name for choice in space.choices), name)
            assert known.learning(arch) == (set(arch) if "conv" in name else set())


def test_an_elastic_layer_that_does_not_run_has_nothing_to_learn() -> None:
    known = weights(ToyElastic())
    arch = {"depth": "1", "kernel0": "3", "expansion0": "1", "kernel1": "3", "expansion1": "1"}
    assert known.learning(arch) == {"depth", "kernel0", "expansion0"}


def test_what_gives_out_another_shape_is_run_on_the_meta_device() -> None:
    """A clamp by a tensor takes the larger shape of both; what keeps its shape is handed on as it is."""
    x = torch.zeros(2, 3, 1, 1, device="meta")
    with MultiplyAdds():
        assert x.clamp(min=torch.zeros(2, 3, 4, 4, device="meta")).shape == (2, 3, 4, 4)
        assert x.relu() is x
