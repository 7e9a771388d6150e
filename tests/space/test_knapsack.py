"""The best within some room, compared with trying everything."""

from __future__ import annotations

import numpy as np
import pytest

from cleave.space.knapsack import Numbers, best_first, fullest
from tests.fresh import fresh
from tests.reference.knapsack import all_within

Case = tuple[list[Numbers], list[Numbers], Numbers]


def some_case(whole_numbers: bool) -> Case:
    """Up to 5 groups of up to 5 alternatives, and up to 3 limits, which may rule out everything."""
    random = fresh()
    sizes, limits = random.integers(1, 6, size=random.integers(1, 6)), int(random.integers(1, 4))
    peak = random.choice([0.1, 1, 100])
    values = [np.log(random.dirichlet(np.full(size, peak)) + 1e-30) for size in sizes]
    costs = [
        random.integers(0, 5, size=(size, limits)).astype(float) if whole_numbers else random.random((size, limits))
        for size in sizes
    ]
    least, most = (sum(end(cost, axis=0) for cost in costs) for end in (np.min, np.max))
    room = np.asarray(least + (random.random(limits) * 1.2 - 0.2) * (most - least))
    return values, costs, np.floor(room) if whole_numbers else room


@pytest.mark.parametrize("whole_numbers", [True, False])
def test_everything_within_the_room_comes_once_the_best_first(whole_numbers: bool) -> None:
    for _ in range(100):
        values, costs, room = some_case(whole_numbers)
        wanted, found = all_within(values, costs, room), list(best_first(values, costs, room))
        assert sorted(found) == sorted(chosen for _, chosen in wanted)
        sums = [sum(float(values[group][i]) for group, i in enumerate(chosen)) for chosen in found]
        assert sums == pytest.approx(sorted(sums, reverse=True))


@pytest.mark.parametrize("whole_numbers", [True, False])
def test_the_best_alone_is_as_good_where_equal_costs_are_looked_at_once(whole_numbers: bool) -> None:
    nothing = 0
    for _ in range(200):
        values, costs, room = some_case(whole_numbers)
        wanted, found = all_within(values, costs, room), next(best_first(values, costs, room, one_each=True), None)
        nothing += not wanted
        assert (found is None) == (not wanted)
        if found is not None:
            assert sum(float(values[group][i]) for group, i in enumerate(found)) == pytest.approx(wanted[0][0])
    assert 0 < nothing < 200


def test_a_space_of_twenty_groups_takes_a_moment_however_tight_the_limits() -> None:
    """7 ** 21 choices: in tens of thousands of looks an answer, or that there is none."""
    random = fresh()
    for limits in (1, 2, 3):
        costs = [random.random((7, limits)) for _ in range(21)]
        values = [np.log(random.dirichlet(np.ones(7)) + 1e-30) for _ in costs]
        least, most = (sum(end(cost, axis=0) for cost in costs) for end in (np.min, np.max))
        for share in (0.0, 0.01, 0.1, 0.5, 1.0):
            room = least + share * (most - least)
            found = next(best_first(values, costs, room, one_each=True), None)
            if limits == 1 or share >= 0.5:
                assert found is not None
            if found is not None:
                assert (sum(cost[i] for cost, i in zip(costs, found, strict=True)) <= room + 1e-6).all()


def test_the_fullest_takes_as_much_of_the_room_as_anything_does() -> None:
    nothing = 0
    for _ in range(200):
        _, costs, room = some_case(whole_numbers=True)
        single = [cost[:, :1] for cost in costs]
        groups, most = [cost[:, 0].astype(int).tolist() for cost in costs], int(room[0])
        wanted = all_within([cost[:, 0] for cost in costs], single, room[:1])
        if wanted:
            chosen = fullest(groups, most)
            assert sum(group[i] for group, i in zip(groups, chosen, strict=True)) == wanted[0][0]
        else:
            nothing += 1
            with pytest.raises(ValueError, match="room"):
                fullest(groups, most)
    assert 0 < nothing < 200
