"""What is timed: each block that costs are looked up for, once, and networks as they are used."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from cleave.deploy.subjects import CALL, deployed, drawn, key_of, network_of, subjects, units_of
from cleave.net import Network, count_parameters
from cleave.net.cost import costs
from cleave.space import Space, find_space
from cleave.space.cells64 import Cells64
from cleave.space.darts import Darts
from cleave.space.mobilenet import MobileNetProxyless
from cleave.space.nb201 import NASBench201
from tests.deploy.made import SMALL, Made, by_work, small
from tests.toys import TOYS

SPACES = (NASBench201, Darts, Cells64, MobileNetProxyless, *TOYS)


@pytest.mark.parametrize("kind", SPACES)
def test_the_units_are_those_that_costs_ask_for_with_modules_of_their_shapes(kind: type[Space]) -> None:
    asked, made = small(kind()), Made(by_work, {})
    known = costs(asked.space, asked.size, asked.image, asked.classes, latency=made)
    known.count(asked.space.parts(asked.space.region))
    units = units_of(asked)
    assert units.keys() == made.asked.keys()
    for unit, module in units.items():
        with torch.no_grad():
            output = module(torch.randn(2, *unit.input))
        assert tuple(output.shape[1:]) == unit.output
        assert count_parameters(module) == unit.parameters


def test_a_unit_is_timed_once_however_often_it_is_used() -> None:
    """Of NAS-Bench-201's three widths: three operations each that compute something, and what all networks have."""
    names = Counter(unit.name for unit in units_of(small(NASBench201())))
    assert names == {
        "nor_conv_1x1": 3, "nor_conv_3x3": 3, "avg_pool_3x3": 3,
        "stem.op": 1, "reduce1.op": 1, "reduce2.op": 1, "last.op": 1, "head": 1,
    }  # fmt: skip


def test_subjects_are_a_call_the_units_and_the_networks_in_that_order() -> None:
    archs = drawn(SMALL, 3)
    assert archs == drawn(SMALL, 3)
    listed = list(subjects(SMALL, archs, batch=4))
    assert [each.key for each in listed] == [CALL, *map(key_of, units_of(SMALL)), *archs]
    assert {each.size[0] for each in listed} == {4}
    for each in listed:
        assert torch.equal(each.input("cpu"), each.input("cpu"))


def test_what_leads_nowhere_does_not_run() -> None:
    arch = SMALL.space.parse("|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_1x1~2|")
    assert deployed(SMALL.layout, arch) == {"3<-0": "nor_conv_1x1"}
    network = network_of(SMALL, arch).network
    assert isinstance(network, Network)
    assert [choice for choice, allowed in network.region.allowed.items() if allowed] == ["3<-0"]


def test_numbers_neither_vanish_nor_grow_along_a_deep_network() -> None:
    space = find_space("darts")
    asked = small(space)
    (arch,) = drawn(asked, 1).values()
    network = network_of(asked, arch).eval()
    with torch.no_grad():
        outputs = network(torch.randn(2, *asked.image))
    assert outputs.isfinite().all()
    assert 1e-3 < float(outputs.std()) < 1e3
