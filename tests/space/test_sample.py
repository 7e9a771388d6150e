"""Stratified architectures: their balance, their validity, their freedom from the order in which they are asked for."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleave.data.chance import Chance
from cleave.space import Region, find_space
from cleave.space.sample import stratified

FOUR = find_space("nasbench201", 4)
FIVE = find_space("nasbench201", 5)
WITHOUT_NONE = FOUR.region.allowed["1<-0"]


def blocks_of(seed: int) -> partial[torch.Generator]:
    return partial(Chance(seed, "root").generator, "paths")


@given(st.lists(st.integers(1, 4), min_size=6, max_size=6), st.integers(0, 2**32))
def test_over_a_block_every_candidate_is_active_equally_often(sizes: list[int], seed: int) -> None:
    region = Region(
        {name: allowed[:size] for (name, allowed), size in zip(FOUR.region.allowed.items(), sizes, strict=True)}
    )
    length = max(sizes)
    archs = [stratified(FOUR, region, number, blocks_of(seed)) for number in range(3 * length)]
    assert all(arch in region for arch in archs)
    for start in range(0, len(archs), length):
        for choice, allowed in region.allowed.items():
            active = Counter(arch[choice] for arch in archs[start : start + length])
            seen = [active[name] for name in allowed]
            assert max(seen) - min(seen) <= (0 if length % len(allowed) == 0 else 1)


@pytest.mark.parametrize("choice", FIVE.region.allowed)
def test_with_none_every_architecture_is_connected_and_every_candidate_still_takes_its_turn(choice: str) -> None:
    seed = int(torch.randint(1000, ()))
    archs = [stratified(FIVE, FIVE.region, number, blocks_of(seed)) for number in range(50)]
    assert all(map(FIVE.valid, archs))
    assert set(Counter(arch[choice] for arch in archs).values()) == {10}


def test_where_turns_would_always_break_the_network_architectures_are_drawn_freely() -> None:
    """Only 3<-0 leads to the output, and it may be none: no block of turns is valid."""
    region = Region(dict.fromkeys(FIVE.region.allowed, ("none",)) | {"3<-0": ("none", "skip_connect")})
    archs = [stratified(FIVE, region, number, blocks_of(0)) for number in range(6)]
    assert {arch["3<-0"] for arch in archs} == {"skip_connect"}


def test_an_architecture_depends_on_its_number_and_generator_alone() -> None:
    numbers = torch.randperm(20).tolist()
    shuffled = {number: stratified(FIVE, FIVE.region, number, blocks_of(3)) for number in numbers}
    assert all(shuffled[number] == stratified(FIVE, FIVE.region, number, blocks_of(3)) for number in range(20))
    assert shuffled[0] != stratified(FIVE, FIVE.region, 0, blocks_of(4))


def test_choices_are_independent_and_each_candidate_is_as_likely_at_each_place() -> None:
    archs = [stratified(FOUR, FOUR.region, number, blocks_of(5)) for number in range(4000)]
    for one, other in pairwise(FOUR.region.allowed):
        pairs = Counter((arch[one], arch[other]) for arch in archs)
        assert sum((pairs[a, b] - 250) ** 2 / 250 for a in WITHOUT_NONE for b in WITHOUT_NONE) < 37.7  # 15 df, p = .001
    first = Counter(arch["1<-0"] for arch in archs[::4])
    assert sum((first[name] - 250) ** 2 / 250 for name in WITHOUT_NONE) < 16.3  # 3 df, p = .001
