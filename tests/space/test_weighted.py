"""Draws by weights of candidates, within limits too, against chances that are listed."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from cleave.net.cost import costs
from cleave.space import Limited, Region, Space
from cleave.space.nb201 import NASBench201
from cleave.space.weighted import Weighted
from tests.reference.samplers import chances, is_drawn_by
from tests.toys import ToyDropping, ToyMobileNet

DRAWS = 2000


def weighed(region: Region) -> dict[str, dict[str, float]]:
    """Some between .1 and 3, some next to nothing."""
    return {
        choice: {name: 0.1 + 2.9 * torch.rand(()).item() ** 3 for name in names}
        for choice, names in region.allowed.items()
    }


def follows(space: Space, region: Region, weights: Mapping[str, Mapping[str, float]]) -> bool:
    generator, draw = torch.Generator().manual_seed(int(torch.randint(2**31, ()))), space.drawer(region, weights)
    return is_drawn_by([space.format(draw(generator)) for _ in range(DRAWS)], chances(space, region, weights))


def test_what_is_valid_is_drawn_by_the_product_of_weights() -> None:
    space = NASBench201(["none", "nor_conv_1x1"])
    assert follows(space, space.region, weighed(space.region))


def test_where_architectures_leave_choices_out_the_others_count() -> None:
    space = ToyDropping()
    first, *rest = space.choices
    region = space.region.restrict(first.name, first.candidates[:1])
    for choice in rest[2:]:
        region = region.restrict(choice.name, choice.candidates[1:])
    assert follows(space, region, weighed(region))


def test_within_limits_what_keeps_them_is_drawn_by_the_product_of_weights() -> None:
    """Those of groups whose costs add up, and of architectures that are listed."""
    for space in (ToyMobileNet(), NASBench201(["none", "nor_conv_1x1"])):
        prices = costs(space, space.usual_size)
        generator = torch.Generator().manual_seed(0)
        drawn = [prices.of(space.sample(space.region, generator)) for _ in range(30)]
        most = {
            "parameters": sorted(each.parameters for each in drawn)[15],
            "multiply_adds": sorted(each.multiply_adds for each in drawn)[20],
        }
        limited = Limited(space, prices, most)
        assert follows(limited, limited.region, weighed(limited.region))


def test_a_place_at_the_very_end_is_the_last_one() -> None:
    parts = Weighted.of([{"a": "x"}, {"a": "y"}], {"a": {"x": 1.0, "y": 3.0}})
    assert [parts.at(place)["a"] for place in (0.0, 0.2499, 0.2501, 1.0)] == ["x", "x", "y", "y"]
