"""A space within limits: what is valid, drawn and derived costs no more, and nothing that does is missing."""

from __future__ import annotations

import pickle
from itertools import product

import pytest
import torch

from cleave.errors import UserError
from cleave.net.cost import Costs, costs
from cleave.space import Arch, Choice, Fixed, Layer, Layout, Limited, NetworkSize, Region, Space
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
    limited = Limited(space, known(space).of, most_multiply_adds=middle(space, "multiply_adds", 0.5))
    check_space(limited, SIZE, IMAGE, draws=2)


def test_of_nasbench201_so_many_are_valid_as_are_connected_and_cheap_enough() -> None:
    """Counted one by one, at the published size: the published table's largest has 1,531,546 parameters."""
    space = NASBench201()
    cost = costs(space)
    everything = [(arch, cost.of(arch)) for arch in space.every(space.region)]
    assert max(each.parameters for _, each in everything) == 1_531_546
    for parameters, multiply_adds in ((500_000, None), (None, 60_000_000), (400_000, 40_000_000)):
        limited = Limited(space, cost.of, parameters, multiply_adds)
        expected = [
            arch
            for arch, each in everything
            if space.valid(arch)
            and (parameters is None or each.parameters <= parameters)
            and (multiply_adds is None or each.multiply_adds <= multiply_adds)
        ]
        assert 0 < len(expected) < 15_000
        assert enumerate_valid(limited, limited.region) == expected


@pytest.mark.parametrize("kind", [NASBench201, ToyCells64, Long])
def test_what_is_drawn_is_within_the_limits_and_of_its_region(kind: type[Space]) -> None:
    space = kind()
    most = middle(space, "parameters", 0.3)
    limited, cost = Limited(space, known(space).of, most_parameters=most), known(space)
    region = limited.region.restrict(space.choices[0].name, space.choices[0].candidates[1:])
    for arch in (*distinct(limited, region, 20, numbers()), limited.sample(region, numbers())):
        assert arch in region
        assert space.valid(arch)
        assert cost.of(arch).parameters <= most


def test_where_next_to_nothing_is_valid_it_is_drawn_all_the_same() -> None:
    """One in 3 ** 12 has the fewest parameters."""
    space = Long()
    least = known(space).extremes(space.parts(space.region), "parameters")[0]
    limited = Limited(space, known(space).of, most_parameters=least)
    assert set(limited.sample(limited.region, numbers()).values()) == {"skip_connect"}
    with pytest.raises(
        UserError, match=r"^space long: no architecture was found within [\d,]+ parameters; allow more$"
    ):
        Limited(space, known(space).of, most_parameters=least - 1)


def test_the_cheapest_of_a_region_too_large_to_list_decides_whether_it_has_a_valid_one() -> None:
    space = Long()
    cost = known(space)
    limited = Limited(space, cost.of, most_multiply_adds=middle(space, "multiply_adds", 0.3))
    generator = numbers()
    for _ in range(20):
        allowed = {
            choice.name: choice.candidates[int(torch.randint(3, (), generator=generator)) :] for choice in space.choices
        }
        least = cost.extremes(space.parts(Region(allowed)), "multiply_adds")[0]
        assert limited.holds_valid(Region(allowed)) == (least <= limited.most["multiply_adds"])


def weights_of(space: Space) -> dict[str, torch.Tensor]:
    return {choice.name: torch.rand(len(choice.candidates)).softmax(0) for choice in space.choices}


def test_the_derived_one_is_the_valid_one_with_the_largest_product_of_weights() -> None:
    space = NASBench201(["none", "skip_connect", "nor_conv_3x3"])
    cost = known(space)
    limited = Limited(space, cost.of, most_parameters=middle(space, "parameters", 0.3))
    for _ in range(5):
        weights = weights_of(space)
        own = space.derive(space.region, weights)
        found = limited.derive(limited.region, weights)
        if limited.excess(own) == 0:
            assert found == own
            continue
        products = {}
        for names in product(*(choice.candidates for choice in space.choices)):
            arch: Arch = dict(zip((choice.name for choice in space.choices), names, strict=True))
            if limited.valid(arch):
                picked = [
                    weights[choice.name][choice.candidates.index(name)]
                    for choice, name in zip(space.choices, names, strict=True)
                ]
                products[names] = float(torch.stack(picked).double().prod())
        assert tuple(found.values()) == max(products, key=lambda names: products[names])


def test_in_a_space_too_large_to_list_the_derived_one_is_made_lighter() -> None:
    space = Long()
    limited = Limited(space, known(space).of, most_parameters=middle(space, "parameters", 0.2))
    for _ in range(5):
        weights = weights_of(space)
        derived = limited.derive(limited.region, weights)
        assert limited.valid(derived)
        own = space.derive(space.region, weights)
        changed = [choice for choice in own if own[choice] != derived[choice]]
        assert all(derived[choice] != "nor_conv_3x3" for choice in changed)


def test_everything_else_is_the_spaces_own() -> None:
    space = NASBench201()
    limited = Limited(space, known(space).of, most_parameters=10**9, name="small")
    assert (limited.name, limited.choices, limited.tabulated) == ("small", space.choices, True)
    arch = space.sample(space.region, numbers())
    assert limited.parse(space.format(arch)) == arch == limited.parse(limited.format(arch))
    assert limited.draw(arch) == space.draw(arch)
    assert limited.layout(SIZE, 3) == space.layout(SIZE, 3)
    again = pickle.loads(pickle.dumps(limited))
    assert again.valid(arch) == space.valid(arch)
