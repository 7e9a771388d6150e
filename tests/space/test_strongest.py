"""Architectures in the order of their weights, against sorting all of them."""

from __future__ import annotations

from itertools import islice, pairwise, product
from math import prod

import pytest
import torch
from torch import Tensor

from cleave.space import Region
from cleave.space.choice import Arch, joined
from cleave.space.darts import Darts
from cleave.space.strongest import strongest_first

SIZES = (3, 1, 4, 2)
REGION = Region({f"layer{i}": tuple("abcd"[:size]) for i, size in enumerate(SIZES)})
PARTS = [[{choice: candidate} for candidate in allowed] for choice, allowed in REGION.allowed.items()]


def value(arch: Arch, region: Region, weights: dict[str, Tensor]) -> float:
    return prod(float(weights[choice][region.allowed[choice].index(candidate)]) for choice, candidate in arch.items())


def strengths(region: Region, weights: dict[str, Tensor]) -> dict[str, dict[str, float]]:
    return {
        choice: dict(zip(allowed, weights[choice].tolist(), strict=True)) for choice, allowed in region.allowed.items()
    }


@pytest.mark.parametrize("levels", [None, 3])
def test_every_architecture_comes_once_in_the_order_of_its_product(levels: int | None) -> None:
    """Few levels: many are equal, and some are zero."""
    draw = torch.rand if levels is None else lambda size: torch.randint(levels, (size,)).float()
    weights = {choice: draw(len(allowed)) for choice, allowed in REGION.allowed.items()}
    found = list(strongest_first(PARTS, strengths(REGION, weights)))
    values = [value(arch, REGION, weights) for arch in found]
    assert values == sorted(values, reverse=True)
    assert {tuple(arch.values()) for arch in found} == set(product(*REGION.allowed.values()))
    assert len(found) == prod(SIZES)


def test_of_equals_the_first_comes_first() -> None:
    weights = {choice: torch.ones(len(allowed)) for choice, allowed in REGION.allowed.items()}
    found = [tuple(arch.values()) for arch in strongest_first(PARTS, strengths(REGION, weights))]
    assert found == list(product(*REGION.allowed.values()))


def test_parts_of_several_choices_weigh_as_their_product() -> None:
    """In the DARTS space a part is two edges into a node; only a few are looked at of some 10^18."""
    space = Darts()
    weights = {choice: torch.rand(len(allowed)) for choice, allowed in space.region.allowed.items()}
    parts = space.parts(space.region)
    few = list(islice(strongest_first(parts, strengths(space.region, weights)), 50))
    best = joined(max(part, key=lambda arch: value(arch, space.region, weights)) for part in parts)
    assert few[0] == best
    assert all(space.valid(arch) for arch in few)
    values = [value(arch, space.region, weights) for arch in few]
    assert all(weaker <= stronger * (1 + 1e-12) for stronger, weaker in pairwise(values))


def test_nothing_is_put_together_where_a_part_is_empty() -> None:
    assert (
        list(
            strongest_first([*PARTS, []], strengths(REGION, {c: torch.ones(len(a)) for c, a in REGION.allowed.items()}))
        )
        == []
    )
