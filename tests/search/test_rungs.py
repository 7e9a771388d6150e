"""Who goes on in successive halving, against a twin on random accuracies with ties."""

from __future__ import annotations

import random

import pytest

from cleave.search.rungs import in_rung, rungs_filled
from tests.reference.halving import halved


def test_the_better_half_goes_on_and_the_first_of_equals() -> None:
    for _ in range(200):
        names = [str(number) for number in range(random.randint(1, 12))]
        rungs = random.randint(1, 5)
        table = {name: [float(random.randint(0, 4)) for _ in range(rungs)] for name in names}
        for rung, present in enumerate(halved(names, rungs, lambda name, rung, table=table: table[name][rung])):
            assert in_rung(names, table, rung) == present


def test_who_goes_on_is_not_known_before_a_rung_is_finished() -> None:
    assert in_rung(["a", "b"], {"a": [1.0]}, 1) is None
    assert in_rung(["a", "b"], {"a": [1.0], "b": [2.0]}, 1) == ["b"]
    assert in_rung(["a", "b"], {"a": [1.0], "b": [2.0]}, 2) is None


@pytest.mark.parametrize("count", range(2, 40))
def test_so_many_rungs_have_two_networks_at_least(count: int) -> None:
    names = [str(number) for number in range(count)]
    every = halved(names, 10, lambda name, rung: float(name))
    assert rungs_filled(count) == sum(len(present) >= 2 for present in every)


def test_the_schedule_of_the_paper_costs_what_the_paper_says() -> None:
    """30 * 8 + 70 * 4 + 500 * 2 = 1520 epochs."""
    present = halved([str(number) for number in range(8)], 3, lambda name, rung: float(name))
    assert sum(epochs * len(each) for epochs, each in zip((30, 70, 500), present, strict=True)) == 1520
