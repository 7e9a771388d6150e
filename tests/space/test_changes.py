"""Single changes of architectures, and how far they lead, against all pairs."""

from __future__ import annotations

import pytest
import torch

from cleave.net.cost import costs
from cleave.space import Limited, Region, Space, find_space
from cleave.space.changes import Changes
from cleave.space.nb201 import NASBench201
from cleave.space.sample import enumerate_valid
from tests.reference.samplers import one_change, reached
from tests.toys import Islands, ToyDropping, ToyMobileNet

FEW = 40


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(int(torch.randint(2**31, ())))


@pytest.mark.parametrize("name", ["nasbench201", "darts", "mobilenet-proxyless", "mobilenet-ofa"])
def test_each_differs_from_the_one_before_in_one_choice(name: str) -> None:
    space, random = find_space(name), generator()
    region = Region({choice: names[:3] for choice, names in space.region.allowed.items()})
    changes, arch = Changes(space, region), space.sample(region, random)
    for _ in range(FEW):
        after = changes.next(arch, random)
        assert after in region
        assert space.valid(after)
        assert one_change(arch, after)
        arch = after


@pytest.mark.parametrize("space", [NASBench201(["none", "nor_conv_1x1"]), ToyDropping()], ids=lambda each: each.name)
def test_they_are_all_that_differ_in_one_choice(space: Space) -> None:
    region = Region({choice: names[:2] for choice, names in space.region.allowed.items()})
    known, changes = enumerate_valid(space, region), Changes(space, region)
    for arch in known[:: len(known) // 3]:
        found = [each for others in changes.of(arch).values() for each in others if space.valid(each)]
        expected = [each for each in known if one_change(arch, each)]
        assert sorted(map(space.format, found)) == sorted(map(space.format, expected))


def test_every_choice_changes_as_often_as_every_other() -> None:
    space, random = ToyMobileNet(), generator()
    changes, arch = Changes(space, space.region), space.sample(space.region, random)
    drawn = [changes.next(arch, random) for _ in range(1200)]
    counts = {choice.name: sum(each[choice.name] != arch[choice.name] for each in drawn) for choice in space.choices}
    assert sum(counts.values()) == 1200
    assert all(abs(count - 400) < 6.5 * (1200 * 2 / 9) ** 0.5 for count in counts.values())


def test_a_depth_changes_with_the_blocks_that_hang_on_it() -> None:
    space = find_space("mobilenet-ofa")
    arch = space.sample(space.region, generator())
    deeper = Changes(space, space.region).of(arch)["depth1"]
    assert {each["depth1"] for each in deeper} | {arch["depth1"]} == {"d2", "d3", "d4"}


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
def test_how_many_a_walk_reaches_within_limits(share: float) -> None:
    """Tight ones leave islands."""
    for space in (ToyMobileNet(), NASBench201(["none", "nor_conv_1x1"])):
        prices = costs(space, space.usual_size)
        found = sorted(prices.of(arch).parameters for arch in enumerate_valid(space, space.region))
        limited = Limited(space, prices, {"parameters": found[int(share * len(found))]})
        reach = Changes(limited, limited.region).reach
        assert reach is not None
        assert reach.valid == len(enumerate_valid(limited, limited.region))
        assert reach.found == reached(limited, limited.region)


def test_islands_are_seen() -> None:
    space = Islands()
    changes = Changes(space, space.region)
    assert changes.reach == (4, 1)
    assert reached(space, space.region) == 1
    arch = space.sample(space.region, generator())
    assert changes.next(arch, generator()) == arch


def test_what_is_all_valid_is_not_looked_at() -> None:
    space = ToyMobileNet()
    assert Changes(space, space.region).reach is None
