"""Which child a mini-batch is for: what the four policies promise."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch
from scipy.stats import chisquare

from cleave.data.chance import Chance
from cleave.study.record.order import make_order

IN_CYCLES = ["fixed", "shuffled-once", "reshuffled"]
EVERY = [*IN_CYCLES, "iid"]


def some_chance() -> Chance:
    return Chance(int(torch.randint(10**9, ())), "instance0 order 0")


def cycles(kind: str, children: int, chance: Chance, count: int = 6) -> list[list[int]]:
    order = make_order(kind, children, chance)
    return [[order(cycle * children + step) for step in range(children)] for cycle in range(count)]


@pytest.mark.parametrize("children", [1, 2, 7, 64])
@pytest.mark.parametrize("kind", IN_CYCLES)
def test_every_child_has_its_turn_once_in_a_cycle(kind: str, children: int) -> None:
    assert all(sorted(cycle) == list(range(children)) for cycle in cycles(kind, children, some_chance()))


def test_fixed_is_the_order_of_the_space_whatever_the_seed() -> None:
    assert cycles("fixed", 9, some_chance()) == [list(range(9))] * 6


def test_shuffled_once_repeats_one_order_that_the_seed_draws() -> None:
    chance = some_chance()
    first, *others = cycles("shuffled-once", 64, chance)
    assert others == [first] * 5
    assert first != list(range(64))
    assert cycles("shuffled-once", 64, Chance(chance.seed + 1, chance.leaf))[0] != first
    assert cycles("shuffled-once", 64, Chance(chance.seed, "instance1 order 0"))[0] != first


def test_reshuffled_draws_another_order_in_each_cycle() -> None:
    drawn = cycles("reshuffled", 64, some_chance())
    assert len({tuple(cycle) for cycle in drawn}) == len(drawn)


def test_reshuffled_orders_have_nothing_in_common() -> None:
    children, count = 8, 400
    drawn = cycles("reshuffled", children, Chance(0, "any"), count)
    firsts = [sum(cycle[0] == child for cycle in drawn) for child in range(children)]
    repeats = sum(one == other for cycle, after in pairwise(drawn) for one, other in zip(cycle, after, strict=True))
    assert chisquare(firsts).pvalue > 1e-4
    assert abs(repeats / (children * (count - 1)) - 1 / children) < 0.03


def test_iid_draws_any_child_any_time() -> None:
    children, steps = 16, 4000
    order = make_order("iid", children, Chance(1, "any"))
    drawn = [order(step) for step in range(steps)]
    assert chisquare([drawn.count(child) for child in range(children)]).pvalue > 1e-4
    again = sum(one == other for one, other in pairwise(drawn))
    assert abs(again / steps - 1 / children) < 0.02, "what was drawn before has an influence"
    assert any(sorted(drawn[cycle : cycle + children]) != list(range(children)) for cycle in range(0, steps, children))


@pytest.mark.parametrize("kind", EVERY)
def test_a_step_has_the_same_child_however_it_is_asked_for(kind: str) -> None:
    chance = some_chance()
    straight = make_order(kind, 10, chance)
    expected = [straight(step) for step in range(100)]
    steps = random.sample(range(100), 100)
    jumping = make_order(kind, 10, chance)
    assert {step: jumping(step) for step in steps} == dict(enumerate(expected))
    assert make_order(kind, 10, chance)(73) == expected[73], "asked for at first"
