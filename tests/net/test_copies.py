"""Copies that share tensors, against `copy.deepcopy`."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cleave.net import DropPath, build
from cleave.net.copies import sharing
from cleave.space import NetworkSize, Space
from tests.toys import TOYS


def tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def slowly(network: nn.Module, kept: Iterable[Tensor]) -> nn.Module:
    copy: nn.Module = deepcopy(network, {id(tensor): tensor for tensor in kept})
    return copy


class Strange(nn.Module):
    """Everything that could be lost or shared by mistake."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1)
        self.twice = self.layer
        self.register_buffer("count", torch.zeros(2), persistent=False)
        self.listed = [self.layer, {"deep": (self.layer, [1, 2])}]
        self.by_name: dict[str, Any] = {"mine": self.layer, "words": {"a": [1]}, "empty": {}}
        self.same_list = self.by_name["words"]["a"]
        self.plain = torch.ones(2)
        self.empty: set[int] = set()
        self.same_empty = self.empty
        self.me = [self]


class OwnCopy(nn.Module):
    def __init__(self, number: int = 0) -> None:
        super().__init__()
        self.number = number

    def __deepcopy__(self, memo: dict[int, Any]) -> OwnCopy:
        return OwnCopy(self.number + 1)


class OwnState(nn.Module):
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "saved": True}


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.__name__)
def test_a_copy_of_a_network_is_that_of_deepcopy(toy: type[Space]) -> None:
    space = toy()
    network = build(space.layout(NetworkSize(2, 1), 3), space.region, 5, seed=0)
    kept = tensors(network)[::2]
    copies = [make(network, kept) for make in (sharing, slowly)]
    ids = {id(tensor) for tensor in kept}
    for name, module in network.named_modules():
        found = [copy.get_submodule(name) for copy in copies]
        assert all(type(each) is type(module) and each is not module for each in found)
        assert [set(vars(each)) for each in found] == [set(vars(module))] * 2
    for one, other, original in zip(*map(tensors, copies), tensors(network), strict=True):
        assert torch.equal(one, original)
        assert (one is original) == (other is original) == (id(original) in ids)
        assert one.requires_grad == original.requires_grad


def test_nothing_but_the_named_tensors_is_shared() -> None:
    network = Strange()
    copy = sharing(network, [network.layer.weight])
    assert copy.layer is copy.twice is copy.listed[0] is copy.listed[1]["deep"][0] is copy.by_name["mine"]
    assert copy.layer is not network.layer
    assert copy.layer.weight is network.layer.weight
    assert copy.layer.bias is not network.layer.bias
    assert copy.me[0] is copy
    assert copy.same_list is copy.by_name["words"]["a"]
    assert copy.same_empty is copy.empty
    copy.listed[1]["deep"][1].append(3)
    copy.same_list.append(2)
    copy.by_name["empty"]["new"] = 1
    copy.empty.add(1)
    copy.plain.zero_()
    copy.count.add_(1)
    assert (network.listed[1]["deep"][1], network.same_list, network.by_name["empty"]) == ([1, 2], [1], {})
    assert (network.plain.sum(), network.count.sum(), network.empty) == (2, 0, set())
    assert "count" not in copy.state_dict()


def test_hooks_and_modes_are_copied_and_later_ones_are_not() -> None:
    network = nn.Sequential(nn.Linear(2, 2), DropPath())
    seen: list[str] = []
    network[0].register_forward_hook(lambda *_: seen.append("before"))
    copy = sharing(network, tensors(network))
    network[0].register_forward_hook(lambda *_: seen.append("after"))
    copy[0](torch.ones(1, 2))
    assert seen == ["before"]
    copy.eval()
    assert network.training
    assert network[1].training


def test_modules_that_say_how_they_are_copied_are_asked() -> None:
    copy = sharing(nn.Sequential(OwnCopy(), OwnState()), ())
    assert copy[0].number == 1
    assert copy[1].saved
