"""Networks that share: which tensors are the very same objects, and what children compute at the beginning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cleave.net import Norm
from cleave.space import Arch, NetworkSize, Space, find_space
from cleave.space.sample import distinct
from cleave.study.record.catalogue import PATTERNS
from cleave.study.record.sharing import Shared, but_statistics, matching, prefix, tensor_names
from cleave.study.record.supernet import Blueprint, Supernet, region_of
from tests.toys import TOYS

CELLS = 3
SIZE = NetworkSize(2, CELLS)
SPACES: dict[str, Callable[[], Space]] = {
    "cells64": lambda: find_space("cells64"),
    "nasbench201": lambda: find_space("nasbench201"),
    **{kind.name: kind for kind in TOYS},
}
CELLS64 = find_space("cells64")
NORM = Norm(affine=False, running=True, momentum=0.4)


def some(space: Space, count: int = 6) -> list[Arch]:
    return distinct(space, space.region, count, torch.Generator().manual_seed(int(torch.randint(10**6, ()))))


def policies(space: Space) -> dict[str, Shared | None]:
    layout = space.layout(SIZE, 3)
    return {
        "all": None,
        **{f"prefix {cells}": prefix(cells, layout) for cells in range((CELLS if space is CELLS64 else 1) + 1)},
        **{title: matching(pattern) for title, (_, pattern) in PATTERNS.items()},
        "statistics": but_statistics(None),
        "none": lambda name: False,
    }


def made(space: Space, children: list[Arch], shared: Shared | None) -> Supernet:
    seed = int(torch.randint(10**6, ()))
    return Supernet(
        space,
        Blueprint(space.layout(SIZE, 3), 4, replace(space.layout(SIZE, 3).norm, running=True)),
        children,
        seed,
        shared,
    )


def state(network: nn.Module) -> dict[str, Tensor]:
    return network.state_dict(keep_vars=True)


@pytest.mark.parametrize("policy", policies(CELLS64))
def test_shared_tensors_are_the_same_objects_and_others_begin_equal(policy: str) -> None:
    shared = policies(CELLS64)[policy]
    supernet = made(CELLS64, some(CELLS64), shared)
    common, seen = state(supernet.common), tensor_names(supernet.common)
    owners: dict[int, set[int]] = {}
    for number, network in enumerate(supernet.networks):
        for name, tensor in state(network).items():
            owners.setdefault(id(tensor), set()).add(number)
            assert (tensor is common[name]) == (shared is None or shared(seen[name])), name
            assert torch.equal(tensor, common[name]), name
            assert isinstance(tensor, nn.Parameter) == isinstance(common[name], nn.Parameter), name
            assert tensor.data_ptr() == 0 or (tensor.data_ptr() == common[name].data_ptr()) == (tensor is common[name])
    own = [children for tensor, children in owners.items() if tensor not in {id(each) for each in common.values()}]
    assert all(len(children) == 1 for children in own), "two children share what is each one's own"


def test_where_all_is_shared_there_is_one_network() -> None:
    supernet = made(CELLS64, some(CELLS64), None)
    assert {id(network) for network in supernet.networks} == {id(supernet.common)}


def test_no_prefix_ever_shares_the_classifier() -> None:
    layout = CELLS64.layout(SIZE, 3)
    for cells in range(CELLS + 1):
        supernet = made(CELLS64, some(CELLS64), prefix(cells, layout))
        assert len({id(network.classifier.weight) for network in supernet.networks}) == 6
        assert len({id(network.blocks["stem0"].op[0].weight) for network in supernet.networks}) == 1
        for number in range(CELLS):
            first = {id(network.blocks[f"cell{number}"].preprocess[0][1].weight) for network in supernet.networks}
            assert len(first) == (1 if number < cells else 6)


@pytest.mark.parametrize("policy", ["prefix 1", "statistics", "none"])
@pytest.mark.parametrize("name", SPACES)
def test_at_the_beginning_every_childs_network_computes_what_the_common_one_does(name: str, policy: str) -> None:
    space = SPACES[name]()
    supernet = made(space, some(space), policies(space)[policy])
    images = torch.randn(4, 3, 8, 8)
    for training in (False, True):  # at last with statistics of the batch, which changes the running ones
        for network, gates in zip(supernet.networks, supernet.gates, strict=True):
            supernet.common.train(training)
            network.train(training)
            with torch.no_grad():
                assert torch.equal(network(images, gates), supernet.common(images, gates))


def test_a_childs_own_network_holds_what_it_uses_and_no_more() -> None:
    children = some(CELLS64)
    supernet = made(CELLS64, children, lambda name: False)
    for network, arch in zip(supernet.networks, children, strict=True):
        held = {name.split(".ops.")[1].split(".")[0] for name in state(network) if ".edges.1<-0.ops." in name}
        assert held == {arch["O01"]}


def test_the_common_network_holds_what_some_child_uses() -> None:
    children = some(CELLS64, 2)
    region = region_of(CELLS64, children)
    for choice in CELLS64.choices:
        assert set(region.allowed[choice.name]) == {arch[choice.name] for arch in children}
        kept = [name for name in choice.candidates if name in region.allowed[choice.name]]
        assert list(region.allowed[choice.name]) == kept, "in the space's order"


@pytest.mark.parametrize("policy", ["all", "prefix 1", "convolutions", "statistics", "none"])
def test_all_values_are_loaded_as_they_were(policy: str) -> None:
    children, shared = some(CELLS64), policies(CELLS64)[policy]
    one, other = made(CELLS64, children, shared), made(CELLS64, children, shared)
    with torch.no_grad():
        for tensor in one.tensors().values():
            tensor.add_(torch.randint(3, tensor.shape))
    other.load({name: tensor.clone() for name, tensor in one.state().items()})
    for mine, theirs in zip(one.networks, other.networks, strict=True):
        assert all(torch.equal(value, state(theirs)[name]) for name, value in state(mine).items())
    assert len({tensor.data_ptr() for tensor in one.parameters().values()}) == len(one.parameters())


@pytest.mark.parametrize("policy", ["all", "prefix 1", "convolutions", "none"])
def test_idle_are_the_shared_parameters_that_got_no_gradient(policy: str) -> None:
    shared = policies(CELLS64)[policy]
    children = [CELLS64.parse(label) for label in ("111", "234", "243", "432")]
    supernet = made(CELLS64, children, shared)
    supernet.networks[1](torch.randn(4, 3, 8, 8), supernet.gates[1]).sum().backward()
    idle = {id(parameter) for parameter in supernet.idle(1)}
    seen = tensor_names(supernet.common)
    used = {name for network in supernet.networks for name in state(network)}
    expected = {
        id(parameter) for name, parameter in supernet.common.named_parameters()
        if name in used and (shared is None or shared(seen[name])) and name not in state(supernet.networks[1])
    }  # fmt: skip
    if policy == "all":
        mine = {place: f".ops.{name}." for place, name in (("1<-0", "sep_conv_3x3"), ("2<-0", "sep_conv_5x5"))}
        mine["2<-1"] = ".ops.dil_conv_5x5."
        expected = {
            id(parameter) for name, parameter in supernet.common.named_parameters()
            if any(place in name and op not in name for place, op in mine.items())
        }  # fmt: skip
    assert idle == expected
    assert bool(expected) == (policy != "none")
