"""A space within limits: what is valid, drawn and derived costs no more, and nothing that does is missing."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from math import prod

import pytest
import torch

from cleave.errors import UserError
from cleave.net.cost import Costs, costs
from cleave.space import Arch, Choice, Fixed, Layer, Layout, Limited, NetworkSize, Region, Space
from cleave.space.darts import Darts
from cleave.space.mobilenet import MobileNetProxyless
from cleave.space.nb201 import NASBench201
from cleave.space.sample import distinct, enumerate_valid
from cleave.testing import check_space
from tests.elastic import ToyElastic
from tests.toys import NamedSpace, ToyCells64, ToyDropping, ToyMobileNet

SIZE, IMAGE = NetworkSize(4, 1), (3, 8, 8)


def numbers() -> torch.Generator:
    generator = torch.Generator()
    generator.seed()
    return generator


def known(space: Space) -> Costs:
    return costs(space, SIZE, IMAGE, 5)


def middle(space: Space, what: str, share: float) -> int:
    """Between the least and the most that architectures cost."""
    cost, generator = known(space), numbers()
    drawn = [getattr(cost.of(space.sample(space.region, generator)), what) for _ in range(50)]
    return round(min(drawn) + share * (max(drawn) - min(drawn)))


class Long(NamedSpace):
    """More architectures than can be listed."""

    name = "long"
    choices = tuple(Choice(f"layer{i}", ("nor_conv_3x3", "nor_conv_1x1", "skip_connect")) for i in range(12))

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        layers = [(choice.name, Layer(choice.name, size.channels, size.channels)) for choice in self.choices]
        return Layout((("stem", Fixed("conv_3x3_bn", image_channels, size.channels)), *layers), size.channels)


@pytest.mark.parametrize("kind", [ToyMobileNet, ToyCells64, ToyDropping, ToyElastic])
def test_a_limited_space_keeps_the_laws(kind: type[Space]) -> None:
    space = kind()
    limited = Limited(space, known(space), {"multiply_adds": middle(space, "multiply_adds", 0.5)})
    check_space(limited, SIZE, IMAGE, draws=2)


def test_of_nasbench201_so_many_are_valid_as_are_connected_and_cheap_enough() -> None:
    """Counted one by one, at the published size: the published table's largest has 1,531,546 parameters."""
    space = NASBench201()
    cost = costs(space)
    everything = [(arch, cost.of(arch)) for arch in space.every(space.region)]
    assert max(each.parameters for _, each in everything) == 1_531_546
    for most in (
        {"parameters": 500_000}, {"multiply_adds": 60_000_000}, {"parameters": 400_000, "multiply_adds": 40_000_000}
    ):  # fmt: skip
        limited = Limited(space, cost, most)
        expected = [
            arch
            for arch, each in everything
            if space.valid(arch) and all(getattr(each, what) <= limit for what, limit in most.items())
        ]
        assert 0 < len(expected) < 15_000
        assert enumerate_valid(limited, limited.region) == expected


@pytest.mark.parametrize("kind", [NASBench201, ToyCells64, Long])
def test_what_is_drawn_is_within_the_limits_and_of_its_region(kind: type[Space]) -> None:
    space = kind()
    most = middle(space, "parameters", 0.3)
    limited, cost = Limited(space, known(space), {"parameters": most}), known(space)
    region = limited.region.restrict(space.choices[0].name, space.choices[0].candidates[1:])
    for arch in (*distinct(limited, region, 20, numbers()), limited.sample(region, numbers())):
        assert arch in region
        assert space.valid(arch)
        assert cost.of(arch).parameters <= most


def test_where_next_to_nothing_is_valid_it_is_drawn_all_the_same() -> None:
    """One in 3 ** 12 has the fewest parameters."""
    space = Long()
    least = known(space).extremes(space.parts(space.region), "parameters")[0]
    limited = Limited(space, known(space), {"parameters": least})
    assert set(limited.sample(limited.region, numbers()).values()) == {"skip_connect"}


def test_limits_that_nothing_keeps_tell_the_least_there_is_and_its_architecture() -> None:
    space = Long()
    least = known(space).extremes(space.parts(space.region), "parameters")[0]
    arch = re.escape(space.format({choice.name: "skip_connect" for choice in space.choices}))
    for most, told in (
        ({"parameters": least - 1}, f"{least - 1:,} parameters; the least is {least:,} parameters, that of {arch}"),
        (
            {"parameters": 1, "multiply_adds": 2},
            f"1 parameters and 2 multiply-adds; the nearest has .*, that of {arch}",
        ),
    ):
        with pytest.raises(UserError, match=f"^space long: no architecture keeps to {told}; allow more$"):
            Limited(space, known(space), most)


def test_a_region_too_large_to_list_has_a_valid_one_exactly_where_its_least_is_within() -> None:
    space = Long()
    cost = known(space)
    limited = Limited(space, cost, {"multiply_adds": middle(space, "multiply_adds", 0.3)})
    generator = numbers()
    for _ in range(20):
        allowed = {
            choice.name: choice.candidates[int(torch.randint(3, (), generator=generator)) :] for choice in space.choices
        }
        least = cost.extremes(space.parts(Region(allowed)), "multiply_adds")[0]
        assert limited.holds_valid(Region(allowed)) == (least <= limited.most["multiply_adds"])


def weights_of(space: Space) -> dict[str, torch.Tensor]:
    return {choice.name: torch.rand(len(choice.candidates)).softmax(0) for choice in space.choices}


@pytest.mark.parametrize("kind", [NASBench201, ToyCells64, ToyMobileNet, ToyDropping, ToyElastic])
def test_the_derived_one_is_the_valid_one_with_the_largest_product(kind: type[Space]) -> None:
    """Compared with all there are."""
    space = kind()
    cost = known(space)
    for most in ({"parameters": 0.3}, {"parameters": 0.4, "multiply_adds": 0.4}):
        limited = Limited(space, cost, {what: middle(space, what, share) for what, share in most.items()})
        valid = enumerate_valid(limited, limited.region)
        for _ in range(3):
            weights = weights_of(space)
            own, found = space.derive(space.region, weights), limited.derive(limited.region, weights)
            strengths = space.strengths(space.region, weights)
            products = [prod(strengths[choice][each] for choice, each in arch.items()) for arch in valid]
            assert found == own if own in valid else found in valid
            if own not in valid:
                assert prod(strengths[choice][each] for choice, each in found.items()) == pytest.approx(max(products))


@pytest.mark.parametrize("space", [Long(), Darts(), MobileNetProxyless()])
def test_in_a_space_too_large_to_list_nothing_that_is_changed_a_little_does_better(space: Space) -> None:
    """One part or two parts chosen in any other way are too much, or no stronger."""
    size = space.usual_size if space.name != "long" else SIZE
    cost = costs(space, size, IMAGE, 5)
    drawn = [cost.of(space.sample(space.region, numbers())).multiply_adds for _ in range(20)]
    limited = Limited(space, cost, {"multiply_adds": sorted(drawn)[5]})
    weights = weights_of(space)
    strengths = space.strengths(space.region, weights)
    found = limited.derive(limited.region, weights)
    assert limited.valid(found)

    def product_of(arch: Arch) -> float:
        return prod(strengths[choice][each] for choice, each in arch.items())

    parts, generator = space.parts(space.region), numbers()
    for _ in range(500):
        changed = dict(found)
        for number in torch.randperm(len(parts), generator=generator)[:2].tolist():
            part = parts[number]
            for choice in {choice for each in part for choice in each}:
                changed.pop(choice, None)
            changed |= part[int(torch.randint(len(part), (), generator=generator))]
        assert not limited.valid(changed) or product_of(changed) <= product_of(found) * (1 + 1e-9)


def test_draws_within_limits_are_uniform() -> None:
    """By the chi-squared statistic of many draws, which is so far above its mean less than once in a million."""
    space = ToyMobileNet()
    limited = Limited(space, known(space), {"multiply_adds": middle(space, "multiply_adds", 0.2)})
    valid = [space.format(arch) for arch in enumerate_valid(limited, limited.region)]
    generator = torch.Generator().manual_seed(0)
    drawn = Counter(space.format(limited.sample(limited.region, generator)) for _ in range(50 * len(valid)))
    assert drawn.keys() <= set(valid)
    assert sum((drawn[each] - 50) ** 2 / 50 for each in valid) < len(valid) + 6 * (2 * len(valid)) ** 0.5 + 20


def test_everything_else_is_the_spaces_own() -> None:
    space = NASBench201()
    limited = Limited(space, known(space), {"parameters": 10**9}, name="small")
    assert (limited.name, limited.choices, limited.tabulated) == ("small", space.choices, True)
    arch = space.sample(space.region, numbers())
    assert limited.parse(space.format(arch)) == arch == limited.parse(limited.format(arch))
    assert limited.draw(arch) == space.draw(arch)
    assert limited.layout(SIZE, 3) == space.layout(SIZE, 3)
    again = pickle.loads(pickle.dumps(limited))
    assert again.valid(arch) == space.valid(arch)
