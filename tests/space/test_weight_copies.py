"""Which copy of its weights a block uses, and what networks of copies compute."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cleave.net import Network, build, build_alone, extract, inherit, one_hot, only_live, places
from cleave.net.network import count_parameters
from cleave.space import Layer, Layout, NetworkSize, Region, Space, find_space
from cleave.space.weight_copies import can_be_copied, copied, deepest
from tests.elastic import ToyElastic
from tests.reference import weight_copies as slow
from tests.space.test_nonlinearity import CONVOLUTIONS, drawn
from tests.toys import ToyCells64, ToyDarts, ToyDropping, ToyMobileNet

SIZE, IMAGES, CLASSES = NetworkSize(channels=2, cells=1), torch.randn(3, 1, 8, 8, dtype=torch.float64), 3
CELLS: list[Space] = [find_space("nasbench201"), ToyDarts(), ToyDropping(), ToyCells64()]
named = pytest.mark.parametrize("space", CELLS, ids=lambda space: space.name)


class OwnLayer(Layer):
    """A kind of one's own that says nothing of copies."""


def thresholds_of(space: Space, layout: Layout) -> list[int]:
    """Two at random, below the deepest architecture."""
    most = deepest(layout, space.region.allowed)
    return sorted((1 + torch.randperm(most - 1)[:2]).tolist())


def supernet(space: Space, layout: Layout, seed: int = 0) -> Network:
    return build(layout, space.region, CLASSES, seed).double()


def put_into(network: Network, plain: Network, copy: int) -> None:
    """Makes the weights of that copy, and with the first one all that has none, those of a plain supernet."""
    values = plain.state_dict()
    state = {
        name: values[name.replace(f".ops.{copy}.", ".ops.")]
        for name in network.state_dict()
        if f".ops.{copy}." in name or (copy == 0 and name in values)
    }
    network.load_state_dict(state, strict=False)


@named
def test_an_architecture_computes_what_it_does_with_the_cells_of_its_copies(space: Space) -> None:
    layout = space.layout(SIZE, 1)
    thresholds = thresholds_of(space, layout)
    network, plain = supernet(space, copied(layout, thresholds)), [supernet(space, layout, seed) for seed in range(3)]
    common = {name: each for name, each in plain[0].state_dict().items() if ".ops." not in name}
    for copy, each in enumerate(plain):
        each.load_state_dict(common, strict=False)
        put_into(network, each, copy)
    deep = {each.name: next(name for name in each.candidates if name in CONVOLUTIONS) for each in space.choices}
    used = []
    for arch in (deep, *drawn(space, 20)):
        copies = slow.copy_at(layout, arch, thresholds, {"none"}, CONVOLUTIONS)
        used.append(max(copies.values()))
        torch.testing.assert_close(
            network(IMAGES, one_hot(arch)), slow.outputs(plain, copies, arch, IMAGES), rtol=1e-9, atol=1e-9
        )
        torch.testing.assert_close(
            network(IMAGES, only_live(layout, arch)), network(IMAGES, one_hot(arch)), rtol=1e-9, atol=1e-9
        )
    assert used[0] == len(thresholds), "the deepest uses the last copy"


@named
def test_what_is_extracted_is_the_architectures_own_network(space: Space) -> None:
    layout = space.layout(SIZE, 1)
    network = supernet(space, copied(layout, thresholds_of(space, layout)))
    for arch in drawn(space, 5):
        alone = build_alone(layout.inheriting, arch, CLASSES, seed=1).double()
        inherit(alone, network, arch)
        taken = extract(network, arch)
        assert count_parameters(taken) == count_parameters(build(layout, Region.of(arch), CLASSES, 0))
        for other in (taken, alone):
            torch.testing.assert_close(
                network(IMAGES, one_hot(arch)), other(IMAGES, one_hot(arch)), rtol=1e-9, atol=1e-9
            )


@named
def test_a_step_trains_the_copies_of_its_architecture_alone(space: Space) -> None:
    layout = space.layout(SIZE, 1)
    thresholds = thresholds_of(space, layout)
    network = supernet(space, copied(layout, thresholds))
    (arch,) = drawn(space, 1)
    network(IMAGES, one_hot(arch)).sum().backward()
    copies = slow.copy_at(layout, arch, thresholds, {"none"}, CONVOLUTIONS)
    moved = {name for name, each in network.named_parameters() if each.grad is not None and ".ops." in name}
    assert {name.split(".ops.")[1].partition(".")[0] for name in moved} <= {str(copy) for copy in copies.values()}
    found = {name.split(".")[1]: int(name.split(".ops.")[1].partition(".")[0]) for name in moved}
    assert all(copies[cell] == copy for cell, copy in found.items())
    parts = [part for place in places(network).values() for part in place.used(one_hot(arch))]
    used = {id(each) for part in parts for each in part.parameters()}
    assert {id(network.get_parameter(name)) for name in moved} <= used


def test_nasbench201_has_the_published_copies_where_some_architecture_is_as_deep() -> None:
    """15 and 20 in networks of 15 cells: of a cell that three convolutions a cell lead to, as many as are below."""
    space = find_space("nasbench201")
    layout = space.layout(NetworkSize(channels=2, cells=5), 3)
    network = build(copied(layout, (15, 20)), space.region, CLASSES, 0, device="meta")
    found = {name.split(".")[1]: len(place.ops) for name, place in places(network).items() if name.endswith("1<-0")}
    assert deepest(layout, space.region.allowed) == 45
    assert list(found.values()) == [1] * 5 + [2] + [3] * 9


def test_a_chain_has_copies_by_the_layers_before() -> None:
    space = ToyMobileNet()
    layout = space.layout(NetworkSize(2, 1), 1)
    network = build(copied(layout, (1, 2)), space.region, CLASSES, 0)
    assert [len(place.ops) for place in places(network).values()] == [1, 2, 3]
    assert isinstance(dict(layout.blocks)["layer1"], Layer)


def test_a_block_of_ones_own_has_copies_only_if_it_says_so() -> None:
    assert can_be_copied(ToyDarts().layout(NetworkSize(2, 1), 1))
    assert not can_be_copied(ToyElastic().layout(NetworkSize(2, 1), 1))
    layout = ToyMobileNet().layout(NetworkSize(2, 1), 1)
    own = [(name, OwnLayer(**vars(block)) if isinstance(block, Layer) else block) for name, block in layout.blocks]
    assert not can_be_copied(replace(layout, blocks=tuple(own))), "it may be built in another way than a Layer"
