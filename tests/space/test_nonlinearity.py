"""How many convolutions are on the deepest way through an architecture."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from cleave.space import Arch, Cell, Space, find_space
from cleave.space.nonlinearity import Nonlinearity
from tests.elastic import ToyElastic
from tests.reference.nonlinearity import deepest
from tests.toys import ToyCells64, ToyDarts, ToyDropping

CONVOLUTIONS = {
    "nor_conv_1x1", "nor_conv_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "toy_sep_conv",
}  # fmt: skip


def counted(space: Space) -> Nonlinearity:
    found = Nonlinearity.of(space.layout(space.paper_size, 3))
    assert found is not None
    return found


def drawn(space: Space, count: int = 200) -> list[Arch]:
    generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
    return [space.uniform(space.region, generator) for _ in range(count)]


def test_nasbench201_has_as_many_of_each_depth_as_published() -> None:
    space = find_space("nasbench201")
    assert Counter(map(counted(space), space.every(space.region))) == {0: 1983, 1: 7122, 2: 5520, 3: 1000}


@pytest.mark.parametrize(
    "space", [find_space("nasbench201"), ToyDarts(), ToyDropping(), ToyCells64()], ids=lambda space: space.name
)
def test_it_is_the_most_of_all_ways_through_each_cell(space: Space) -> None:
    cells = [block for _, block in space.layout(space.paper_size, 3).blocks if isinstance(block, Cell)]
    own = {cell.choices: cell for cell in cells}.values()
    count = counted(space)
    for arch in drawn(space):
        assert count(arch) == sum(deepest(cell, arch, {"none"}, CONVOLUTIONS) for cell in own)


def test_a_skip_connection_that_halves_has_a_convolution() -> None:
    space = find_space("darts")
    kept = ("normal/2<-0", "normal/2<-1", "reduce/2<-0", "reduce/2<-1")
    assert counted(space)(dict.fromkeys(kept, "skip_connect")) == 1


def test_layers_and_elastic_blocks_count_where_they_run() -> None:
    proxyless, elastic = find_space("mobilenet-proxyless"), find_space("mobilenet-ofa")
    for arch in drawn(proxyless, 20):
        assert counted(proxyless)(arch) == sum(each != "zero" for each in arch.values())
    for arch in drawn(elastic, 20):
        depths = [int(each[1:]) for choice, each in arch.items() if choice.startswith("depth")]
        assert counted(elastic)(arch) == sum(depths)


def test_a_block_of_ones_own_that_does_not_tell_has_none() -> None:
    space = ToyElastic()
    assert Nonlinearity.of(space.layout(space.paper_size, 3)) is None
    assert space.grouping() is None


def test_nasbench201_has_no_group_without_a_convolution() -> None:
    space = find_space("nasbench201")
    group, count = space.grouping(), counted(space)
    assert group is not None
    assert all(group(arch) == max(1, count(arch)) for arch in drawn(space))
