"""Schedules: who trains how long, from what, at which learning rate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import cos, pi
from typing import Any

import pytest

from cleave.config import load
from cleave.errors import UserError
from cleave.method import RspsSettings
from cleave.resolve import resolve
from cleave.search.schedule import schedule
from cleave.settings import Recipe
from cleave.space import find_space


def recipe(**split: object) -> Recipe:
    """Two splits, warm-up 15, search 30, as published for DARTS on NAS-Bench-201."""
    anneal = split.pop("anneal", "leaf")
    return Recipe.model_validate(
        {"split": {"splits": 2, "warmup_epochs": 15, **split}, "search": {"epochs": 30, "anneal": anneal}}
    )


def test_the_published_protocol_takes_165_epochs() -> None:
    nodes = {0: 1, 1: 2, 2: 4}
    assert sum(count * schedule(recipe(), depth).epochs for depth, count in nodes.items()) == 165


def test_the_architecture_is_frozen_until_the_last_split() -> None:
    assert [schedule(recipe(), depth).searching for depth in range(3)] == [False, False, True]


def test_children_inherit_until_the_last_split_and_then_restart() -> None:
    assert [schedule(recipe(), depth).fresh for depth in range(3)] == [True, False, True]
    assert [schedule(recipe(restart=False), depth).fresh for depth in range(3)] == [True, False, False]


def test_the_learning_rate_rises_in_equal_steps_before_the_cosine() -> None:
    settings = RspsSettings(learning_rate=0.3, learning_rate_min=0.1, learning_rate_warmup=2)
    plan = schedule(recipe(splits=0), 0)
    found = [plan.learning_rate(epoch, settings) for epoch in range(30)]
    assert found[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert found[2:] == pytest.approx([0.1 + 0.1 * (1 + cos(pi * epoch / 28)) for epoch in range(28)])


def test_one_shot_is_one_search_from_new_weights() -> None:
    plan = schedule(recipe(splits=0), 0)
    assert (plan.epochs, plan.searching, plan.fresh, plan.total) == (30, True, True, 30)


def rates(plan_recipe: Recipe, depth: int) -> list[float]:
    plan = schedule(plan_recipe, depth)
    return [plan.learning_rate(epoch, RspsSettings()) for epoch in range(plan.epochs)]


def test_a_restarted_leaf_anneals_fully() -> None:
    found = rates(recipe(), 2)
    assert found[0] == 0.025
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(0.001 + 0.024 * (1 + cos(pi * 29 / 30)) / 2)


def test_the_released_schedule_ends_near_the_middle() -> None:
    """Annealed over 60 epochs though a leaf trains 30: it ends near .013."""
    found = rates(recipe(anneal="path"), 2)
    assert found[0] == 0.025
    assert found[-1] == pytest.approx(0.0136, abs=1e-3)


def test_an_unbroken_line_of_weights_follows_one_cosine() -> None:
    line = [rate for depth in range(3) for rate in rates(recipe(restart=False), depth)]
    assert len(line) == 60
    whole = [0.001 + 0.024 * (1 + cos(pi * epoch / 60)) / 2 for epoch in range(60)]
    assert line == pytest.approx(whole)


def test_there_is_no_warm_up_where_nothing_of_it_would_be_left() -> None:
    for splitter in ("random", "exhaustive"):
        assert schedule(recipe(splitter=splitter), 0).epochs == 0
        assert schedule(recipe(splitter=splitter, restart=False), 0).epochs == 15


def test_warm_ups_with_a_learning_rate_of_their_own() -> None:
    """Each a cosine from it to 0; so have the leaves one of their own, whether they restart or not."""
    settings, own = RspsSettings(), {"warmup_learning_rate": 0.05}
    for restart in (True, False):
        plans = [schedule(recipe(**own, restart=restart), depth) for depth in range(3)]
        assert [(plan.epochs, plan.searched, plan.fresh) for plan in plans] == [
            (15, 0, True), (15, 0, False), (30, 30, restart),
        ]  # fmt: skip
        for plan in plans[:2]:
            found = [plan.learning_rate(epoch, settings) for epoch in range(15)]
            assert found == pytest.approx([0.025 * (1 + cos(pi * epoch / 15)) for epoch in range(15)])
        assert [plans[2].learning_rate(epoch, settings) for epoch in (0, 15)] == pytest.approx([0.025, 0.013])


def test_one_supernet_warms_up_where_the_warm_up_has_its_own_learning_rate() -> None:
    plan = schedule(recipe(splits=0, warmup_learning_rate=0.05), 0)
    assert (plan.epochs, plan.warmup, plan.searched, plan.searching, plan.fresh) == (45, 15, 30, True, True)
    found = [plan.learning_rate(epoch, RspsSettings()) for epoch in (0, 14, 15, 30)]
    assert found == pytest.approx([0.05, 0.025 * (1 + cos(pi * 14 / 15)), 0.025, 0.013])


def asked(changes: Mapping[str, Any]) -> Recipe:
    return load(Recipe, {}, (), changes)


def test_cycles_are_so_many_cosines_one_after_the_other() -> None:
    """Each twice over: as one search of its length would anneal, and rising only at the very beginning."""
    changes = {"split.splitter": "none", "search.epochs": 12, "method.learning_rate_warmup": 2}
    plan = schedule(asked({**changes, "search.cycles": 3}), 0)
    settings = asked(changes).method
    one = schedule(asked({**changes, "search.epochs": 4, "method.learning_rate_warmup": 0}), 0)
    rising = schedule(asked({**changes, "search.epochs": 4}), 0)
    flat = settings.model_copy(update={"learning_rate_warmup": 0})
    rates = [plan.learning_rate(epoch, settings) for epoch in range(12)]
    assert rates[:4] == [rising.learning_rate(epoch, settings) for epoch in range(4)]
    assert rates[4:8] == rates[8:] == [one.learning_rate(epoch, flat) for epoch in range(4)]


@pytest.mark.parametrize(
    ("epochs", "cycles", "snapshots", "kept"),
    [(6, 1, 1, [6]), (6, 1, 4, [3, 4, 5, 6]), (6, 1, 9, [1, 2, 3, 4, 5, 6]), (6, 3, 2, [4, 6]), (6, 2, 9, [3, 6])],
)
def test_the_last_epochs_or_ends_of_cycles_are_kept(epochs: int, cycles: int, snapshots: int, kept: list[int]) -> None:
    changes = {"split.splitter": "none", "search.epochs": epochs, "search.cycles": cycles}
    assert schedule(asked(changes), 0).kept(snapshots) == kept


def test_after_a_warm_up_of_its_own_cycles_begin_with_the_search() -> None:
    changes = {"split.splitter": "none", "split.warmup_epochs": 2, "split.warmup_learning_rate": 0.5}
    plan = schedule(asked({**changes, "search.epochs": 4, "search.cycles": 2}), 0)
    settings = asked({}).method
    assert plan.kept(9) == [4, 6]
    assert [plan.learning_rate(epoch, settings) for epoch in (2, 4)] == [settings.learning_rate] * 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search.cycles": 4}, "search.cycles=4: has to divide search.epochs=6"),
        ({"split.restart": False}, "search.cycles=2: split.restart=false anneals otherwise"),
        ({"search.anneal": "path"}, "search.cycles=2: search.anneal=path anneals otherwise"),
        ({"method.name": "random"}, "search.cycles: method.name=random shares no weights; leave it out"),
        (
            {"method.name": "rsps", "search.hooks": ["complexity-rate"]},
            "search.hooks=complexity-rate anneals otherwise",
        ),
        ({"search.snapshots": 3}, "search.snapshots=3: only 2 epochs end one of search.cycles"),
        ({"method.learning_rate_warmup": 3}, "method.learning_rate_warmup=3: must be below the 3 epochs of a cycle"),
    ],
)
def test_cycles_that_cannot_be_are_one_line(changes: dict[str, Any], said: str) -> None:
    found = asked({"search.epochs": 6, "search.cycles": 2, **changes})
    with pytest.raises(UserError, match=re.escape(said)):
        resolve(found, find_space(found.space))
