"""Tables 5 and 9, Once-for-All: equal epochs for every tree, equal numbers of networks for every trainer, one limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.engine.progress import Callback
from cleave.method import METHODS
from cleave.net.cost import costs
from cleave.reproduce.grid import Grid
from cleave.reproduce.mobile import FLOORS, HELD_OUT, MACS, MULTIPLY_ADDS, PARAMETERS, PASSES, largest
from cleave.reproduce.ofa_rows import OTHERS, PUBLISHED
from cleave.reproduce.ofa_sizes import OFA_SIZES, TRAINED
from cleave.reproduce.retrained import CHOSEN, ERROR, beside, kept
from cleave.reproduce.runner import ReproduceRequest, make_grid, reproduce
from cleave.resolve import resolve
from cleave.settings import Recipe
from cleave.space import find_space
from tests.reproduce.trees import epochs

SMALLER = {"tiny": (16, 10), "small": (32, 10)}
"""Pixels of a side, and classes."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    words = ("one-shot", "subnets", *FLOORS)
    return reproduce(
        ReproduceRequest("table5-ofa", "tiny", only=words, out=tmp_path_factory.mktemp("ofa") / "out"), Callback()
    )


def recipes(budget: str, name: str = "table5-ofa") -> dict[str, Recipe]:
    grid: Grid = make_grid(ReproduceRequest(name, budget))
    return {row.name: grid.recipe(row, 0) for row in grid.rows}


def networks(recipe: Recipe) -> int:
    """How many a search without splits trains, counted for one step in each epoch."""
    space, method = find_space(recipe.space), METHODS[recipe.method.name]
    phases = method(recipe.method, space, space.region, torch.Generator()).phases(epochs(recipe), True, False)
    each = method.paths_each(recipe.method)
    return sum(phase.epochs * phase.networks for phase in phases) or epochs(recipe) * each


@pytest.mark.parametrize("budget", OFA_SIZES)
def test_every_tree_has_as_many_epochs_and_every_trainer_as_many_networks(budget: str) -> None:
    found = recipes(budget)
    total = OFA_SIZES[budget].total_epochs("shrinking", (2, 3))
    assert {epochs(found[row]) for row in ("one-shot", "few-shot", "random", "gradient")} == {total}
    assert len({networks(found[row]) for row in ("one-shot", *OTHERS)}) == 1
    limit = {MACS: OFA_SIZES[budget].common["limits.macs"]}
    assert all(each.limits.most == limit for each in found.values())
    assert {each.method.derive for each in found.values()} == {"evolution"}


@pytest.mark.parametrize("budget", OFA_SIZES)
def test_table9_has_the_rows_of_table5_and_a_larger_tree(budget: str) -> None:
    (known, found) = recipes(budget), recipes(budget, "table9")
    assert found["one-shot"] == known["one-shot"]
    assert found["gradient, 2 splits"] == known["gradient"]
    larger = resolve(found["gradient, 3 splits"], find_space(found["gradient, 3 splits"].space))[0]
    assert larger.split.branch == [2, 2, 2]
    assert epochs(larger) > epochs(known["gradient"])


def test_the_paper_budget_is_the_published_one() -> None:
    gradient = recipes("paper")["gradient"]
    assert (gradient.split.warmup_epochs, gradient.search.epochs) == (40, 40)
    assert gradient.space.model_dump()["width"] == 1.2
    assert gradient.limits.most == {MACS: 600_000_000}
    assert TRAINED["paper"]["space"] == {"name": "mobilenet-ofa", "width": 1.2, "stem": "imagenet"}


def test_published_figures_are_the_reference_ones(shared: Path) -> None:
    rows = json.loads((shared / "data" / "mobilenet" / "reported_results.json").read_text())["rows"]
    known = {row["model"]: row for row in rows}
    models = {
        "one-shot": "OFA-Large (reproduced)",
        "few-shot": "Few-Shot OFA-Large (reproduced)",
        "gradient": "GM OFA-Large T=2",
        "gradient, 2 splits": "GM OFA-Large T=2",
        "gradient, 3 splits": "GM OFA-Large T=3 (more budget)",
    }
    for row, model in models.items():
        error, parameters, macs = PUBLISHED[row]
        assert (error, macs) == (known[model]["top1_err"], known[model]["flops_M"])
        assert parameters == known[model].get("params_M", parameters)


@pytest.mark.parametrize("budget", SMALLER)
def test_a_limit_holds_half_of_the_architectures_and_the_largest_comes_close(budget: str) -> None:
    recipe, (side, classes) = recipes(budget)["one-shot"], SMALLER[budget]
    (limit,) = recipe.limits.most.values()
    space = find_space(recipe.space)
    priced = costs(space, recipe.space.size, (3, side, side), classes)
    generator = torch.Generator().manual_seed(0)
    drawn = [priced.of(space.sample(space.region, generator)).multiply_adds for _ in range(1000)]
    assert 0.45 < sum(cost <= limit for cost in drawn) / len(drawn) < 0.55
    assert (
        max(cost for cost in drawn if cost <= limit) <= priced.of(largest(space, priced, limit)).multiply_adds <= limit
    )


def test_what_is_told_is_of_the_search_and_of_the_network_trained_from_scratch(report: dict[str, Any]) -> None:
    found: dict[str, dict[str, Any]] = {}
    for line in report["lines"]:
        found.setdefault(line["row"], {})[line["measure"]] = line["ours"]["mean"]
    assert set(found) == {"one-shot", "subnets", *FLOORS}
    runs = Path(report["folder"]) / "runs"
    for row, name in {"one-shot": CHOSEN, **FLOORS}.items():
        path = beside(runs / "one-shot-seed0", name)
        told = json.loads((path / "result.json").read_text())
        assert found[row][PARAMETERS] == told["parameters"] / 1e6
        assert found[row][MULTIPLY_ADDS] == told["multiply_adds"] / 1e6
        assert found[row][ERROR] == 100 - json.loads(kept(path).read_text())["accuracy"]
    assert found["one-shot"][PASSES] == found["subnets"][PASSES] > 0  # networks trained; nothing else is counted
    assert all((found[row][HELD_OUT] is None) == (row in FLOORS) for row in found)
    limit = OFA_SIZES["tiny"].common["limits.macs"] / 1e6
    assert max(each[MULTIPLY_ADDS] for each in found.values()) == found["most multiply-adds"][MULTIPLY_ADDS] <= limit
    assert not beside(runs / "subnets-seed0", "most").exists()
