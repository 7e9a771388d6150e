"""The studies of the paper: every one at every budget is a recipe without a useless key."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from cleave.config import load
from cleave.errors import UserError
from cleave.space import find_space
from cleave.study.record.catalogue import (
    BUDGETS,
    ENTRIES,
    PATTERNS,
    TITLES,
    StudyEntry,
    at_budget,
    find_entry,
    find_table,
    listing,
)
from cleave.study.record.log import all_children
from cleave.study.record.notes import meaningless
from cleave.study.record.problem import check_sharing
from cleave.study.record.recipes import read
from cleave.study.record.settings import StudyRecipe
from cleave.study.record.sharing import divide, shared_tensors
from cleave.study.runner import resolve

EVERY = [(entry.name, budget) for budget in BUDGETS for entry in at_budget(list(ENTRIES.values()), budget)]


def recipe(name: str, budget: str) -> StudyRecipe:
    return load(StudyRecipe, ENTRIES[name].recipe(budget), (), {})


@pytest.mark.parametrize(("name", "budget"), EVERY)
def test_every_study_at_every_budget_can_be_followed(name: str, budget: str) -> None:
    found = recipe(name, budget)
    assert meaningless(found) == []
    space = find_space(found.space)
    children = all_children(space)
    assert len(children) == (8 if budget == "tiny" else 64)
    divided = divide(found.sharing, children)
    assert sorted(child for group in divided for child in group) == sorted(children)
    shared_tensors(found.sharing, space.layout(found.space.size, 3))
    resolve(found.model_copy(update={"data": found.data.model_copy(update={"name": "bundled"})}))


@pytest.mark.parametrize("name", [name for name, budget in EVERY if budget == "tiny" and name.startswith("policies")])
def test_every_pattern_shares_something(name: str) -> None:
    for budget in BUDGETS:
        found = recipe(name, budget)
        check_sharing(found, find_space(found.space))


def test_all_of_the_paper_is_there_at_the_small_and_the_published_size() -> None:
    names = list(ENTRIES)
    assert {name for name, budget in EVERY if budget != "tiny"} == set(names)
    assert [name for name in names if name.startswith("table1/")] == [
        f"table1/{each}" for each in ("seeds", "orders", "shuffled", "iid", "alone")
    ]
    groups = {f"table3a/{by}-{count}" for by in ("shuffled", "sequential") for count in (2, 4, 8, 16, 32)}
    assert {name for name in names if name.startswith("table3a/")} == groups
    assert {name for name in names if name.startswith("table3b/")} == {f"table3b/prefix-{cells}" for cells in range(5)}
    assert {name for name in names if name.startswith("policies/")} == {f"policies/{each}" for each in PATTERNS}
    assert {entry.table for entry in ENTRIES.values()} == set(TITLES)


def test_the_published_protocol_is_the_released_one() -> None:
    found = recipe("table1/seeds", "paper")
    training = found.training
    assert (training.learning_rate, training.learning_rate_min, training.momentum) == (0.025, 0.001, 0.9)
    assert (training.weight_decay, training.batch_size, training.epochs) == (1e-3, 256, 200)
    assert (training.idle, training.order, found.norm.momentum, found.norm.running) == ("drift", "fixed", 0.4, "shared")
    assert (found.data.judge, found.data.padding, found.data.flip, found.data.limit) == ("test", 4, True, None)
    assert (found.space.channels, found.space.cells, found.space.ops, found.instances) == (16, 4, None, 10)
    assert recipe("table3b/prefix-2", "paper").training.epochs == 2000
    assert recipe("table3a/shuffled-4", "paper").training.epochs == 200
    assert recipe("table1/orders", "paper").vary == "order"


@pytest.mark.parametrize("count", [2, 4, 8, 16, 32])
@pytest.mark.parametrize(("by", "column"), [("shuffled", "rand42"), ("sequential", "seq")])
def test_groups_are_the_published_ones(by: str, column: str, count: int, shared: Path) -> None:
    groups: dict[str, set[str]] = {}
    with (shared / "data" / "deeper-insights" / "partitions.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            groups.setdefault(row[f"{column}_g{count}"], set()).add(row["label"])
    found = divide(recipe(f"table3a/{by}-{count}", "paper").sharing, all_children(find_space("cells64")))
    assert sorted(map(sorted, found)) == sorted(map(sorted, groups.values()))


def test_matched_is_the_budget_of_small_groups_only() -> None:
    for name, budget in EVERY:
        expected = "matched" if budget == "small" and name.startswith("table3a") else "each"
        assert recipe(name, budget).sharing.budget == expected


def test_idle_weights_go_the_other_way_in_their_own_variant() -> None:
    for budget in BUDGETS:
        assert recipe("variants/idle", budget).training.idle != recipe("table1/seeds", budget).training.idle


def test_published_figures_are_within_their_ranges() -> None:
    for entry in ENTRIES.values():
        for measure, (mean, deviation) in entry.published.items():
            low, high = (1, 64) if re.match(r"t[13]r", measure) else (-1, 1)
            assert low <= mean <= high, (entry.name, measure)
            assert deviation is None or deviation >= 0
    assert ENTRIES["table1/seeds"].published["gt_tau_last"] == (0.4567, 0.1478)
    assert ENTRIES["table3b/prefix-0"].published == {"gt_tau_mean": (0.6960, None), "gt_tau_std": (0.0129, None)}


def test_a_table_is_found_by_its_name_and_a_typo_gets_a_suggestion() -> None:
    assert [entry.name for entry in find_table("Table-3b")] == [f"table3b/prefix-{cells}" for cells in range(5)]
    with pytest.raises(UserError, match="table: unknown 'tabel1'; did you mean 'table1'"):
        find_table("tabel1")
    with pytest.raises(UserError, match="study: unknown 'table1/sedes'; did you mean 'table1/seeds'"):
        find_entry("table1/sedes")


def test_names_differ_in_more_than_what_is_left_out_when_they_are_looked_up() -> None:
    for name, entry in ENTRIES.items():
        assert find_entry(name) is entry
        assert find_entry(name.upper().replace("/", " ")) is entry


def test_groups_that_a_few_children_cannot_be_put_into_are_left_out() -> None:
    left_out = set(ENTRIES) - {entry.name for entry in at_budget(list(ENTRIES.values()), "tiny")}
    assert left_out == {f"table3a/{by}-{count}" for by in ("shuffled", "sequential") for count in (16, 32)}
    with pytest.raises(UserError, match="--budget huge: is none of tiny, small, paper"):
        at_budget([], "huge")
    too_many = read("table3a/shuffled-16", "tiny", (), {})
    children = all_children(find_space("cells64", too_many.space.ops))
    with pytest.raises(UserError, match=r"sharing\.groups=16: there are 8 children"):
        divide(too_many.sharing, children)


def test_the_listing_has_a_line_for_each() -> None:
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] == list(ENTRIES)
    assert all(ENTRIES[line.split()[0]].title in line for line in lines)


def test_a_budgets_own_changes_win() -> None:
    entry = StudyEntry("a/b", "", {"training.epochs": 5, "seed": 3}, {"tiny": {"training.epochs": 7}})
    assert [load(StudyRecipe, entry.recipe(budget), (), {}).training.epochs for budget in ("tiny", "small")] == [7, 5]
    assert entry.recipe("tiny")["seed"] == 3
