"""Table 5, ProxylessNAS: equal epochs for every search, and beside them what needs none, with and without a limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.net.cost import costs
from cleave.reproduce import retrained
from cleave.reproduce.grid import Grid
from cleave.reproduce.mobile import HELD_OUT, MACS, MOST, MULTIPLY_ADDS, PARAMETERS, PASSES, largest
from cleave.reproduce.mobile_sizes import LIMITS, MOBILE_SIZES, TRAINED
from cleave.reproduce.retrained import ANY, CHOSEN, ERROR, beside, kept
from cleave.reproduce.runner import ReproduceRequest, make_grid, reproduce
from cleave.resolve import resolve
from cleave.space import find_space
from tests.reproduce.trees import epochs

NAME = "table5-proxyless"
RECIPE = Path(__file__).parents[2] / "recipes" / "mobilenet-gm-proxyless-paper.yaml"
SIDES = {"tiny": 16, "small": 32, "paper": 224}


def request(folder: Path) -> ReproduceRequest:
    words = ("one-shot", "random architecture", "most multiply-adds")
    return ReproduceRequest(NAME, "tiny", only=tuple(f"{word}, with limit" for word in words), out=folder)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return reproduce(request(tmp_path_factory.mktemp("table5") / "out"), Callback())


def measured(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By row, without the name of its limit, and measure."""
    found: dict[str, dict[str, Any]] = {}
    for line in report["lines"]:
        found.setdefault(line["row"].rpartition(", ")[0], {})[line["measure"]] = line["ours"]["mean"]
    return found


def grid_of(budget: str) -> Grid:
    return make_grid(ReproduceRequest(NAME, budget))


@pytest.mark.parametrize("budget", MOBILE_SIZES)
def test_every_search_has_as_many_epochs_in_all(budget: str) -> None:
    grid = grid_of(budget)
    found = {epochs(grid.recipe(row, 0)) for row in grid.rows}
    assert found == {MOBILE_SIZES[budget].total_epochs("proxyless", (2, 3))}


def test_the_paper_budget_is_the_published_recipe() -> None:
    grid = grid_of("paper")
    recipes = {row.name.removesuffix(", without limit"): grid.recipe(row, 0) for row in grid.rows}
    changes = {"data.name": "imagenet-1k", "trust.panel": 0}
    published = load_recipe(RECIPE, (), changes)
    gradient, whole = (resolve(each, find_space(each.space))[0] for each in (recipes["gradient"], published))
    assert gradient == whole
    assert epochs(gradient) == 360
    assert recipes["gradient, 3 splits"].split.branch == [2, 2, 2]
    assert TRAINED["paper"]["training"]["epochs"] == 450


def test_what_needs_no_search_is_trained_beside_the_one_shot_search(report: dict[str, Any]) -> None:
    folder, found = Path(report["folder"]) / "runs" / "one-shot-with-limit-seed0", measured(report)
    rows = {"one-shot": CHOSEN, "a random architecture": ANY, "most multiply-adds": MOST}
    assert set(found) == set(rows)
    for row, name in rows.items():
        told = json.loads((beside(folder, name) / "result.json").read_text())
        assert found[row][PARAMETERS] == told["parameters"] / 1e6
        assert found[row][MULTIPLY_ADDS] == told["multiply_adds"] / 1e6
        assert found[row][ERROR] == 100 - json.loads(kept(beside(folder, name)).read_text())["accuracy"]
    result = json.loads((folder / "result.json").read_text())
    assert found["one-shot"][HELD_OUT] == result["chosen"]["valid_accuracy"]
    assert found["one-shot"][PASSES] * 1000 == result["cost"]["weight_steps"] + result["cost"]["arch_steps"]
    assert found["most multiply-adds"][HELD_OUT] is None
    limit = LIMITS["with limit"]["tiny"]["limits.macs"] / 1e6
    assert max(each[MULTIPLY_ADDS] for each in found.values()) == found["most multiply-adds"][MULTIPLY_ADDS] <= limit


def test_pairs_are_compared_by_their_test_errors_alone(report: dict[str, Any]) -> None:
    pairs = [("a random architecture", "one-shot"), ("most multiply-adds", "one-shot")]
    assert [pair["rows"] for pair in report["comparisons"]] == [
        [f"{one}, with limit", f"{other}, with limit"] for one, other in pairs
    ]
    assert {pair["measure"] for pair in report["comparisons"]} == {ERROR}


def test_it_is_told_again_without_training(report: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrained.runner, "start", None)
    monkeypatch.setattr(retrained, "evaluate", None)
    assert reproduce(request(Path(report["folder"])), Callback()) == report


@pytest.mark.parametrize("budget", MOBILE_SIZES)
def test_a_limit_holds_half_of_the_architectures_and_the_largest_comes_close(budget: str) -> None:
    grid = grid_of(budget)
    recipe, classes = grid.recipe(grid.rows[-1], 0), 1000 if budget == "paper" else 10
    (limit,) = recipe.limits.most.values()
    space, side = find_space(recipe.space), SIDES[budget]
    priced = costs(space, recipe.space.size, (3, side, side), classes)
    generator = torch.Generator().manual_seed(0)
    drawn = [priced.of(space.sample(space.region, generator)).multiply_adds for _ in range(1000)]
    assert 0.45 < sum(cost <= limit for cost in drawn) / len(drawn) < 0.55
    assert priced.of(largest(space, priced)).multiply_adds == priced.extremes(space.parts(space.region), MACS)[1]
    found = priced.of(largest(space, priced, limit)).multiply_adds
    assert max(cost for cost in drawn if cost <= limit) <= found <= limit
