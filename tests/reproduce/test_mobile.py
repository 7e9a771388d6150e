"""Table 5, ProxylessNAS: equal epochs for every search, and beside them what needs none, with and without a limit."""

from __future__ import annotations

import json
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.engine.progress import Callback
from cleave.net.cost import costs
from cleave.reproduce import retrained
from cleave.reproduce.grid import Grid
from cleave.reproduce.mobile_rows import ANY, HELD_OUT, MOST, MULTIPLY_ADDS, PARAMETERS, PASSES, largest
from cleave.reproduce.mobile_sizes import LIMITS, MOBILE_SIZES, TRAINED
from cleave.reproduce.retrained import CHOSEN, ERROR, beside, kept
from cleave.reproduce.runner import ReproduceRequest, make_grid, reproduce
from cleave.resolve import resolve
from cleave.search.schedule import schedule
from cleave.settings import Recipe
from cleave.space import find_space
from cleave.space.limits import Limited

NAME = "table5-proxyless"
MACS = "multiply_adds"
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


def epochs(recipe: Recipe) -> int:
    """Of all nodes of the tree."""
    space = find_space(recipe.space)
    resolved, _ = resolve(recipe, space)
    split = resolved.split
    parts = split.branch if isinstance(split.branch, list) else []
    if split.splitter == "exhaustive":
        assert isinstance(split.choice, list)
        parts = [len(space.region.allowed[choice]) for choice in split.choice]
    nodes = [1, *accumulate(parts, mul)]
    assert len(nodes) == (split.splits or 0) + 1
    return sum(count * schedule(resolved, depth).epochs for depth, count in enumerate(nodes))


@pytest.mark.parametrize("budget", MOBILE_SIZES)
def test_every_search_has_as_many_epochs_in_all(budget: str) -> None:
    grid = grid_of(budget)
    found = {epochs(grid.recipe(row, 0)) for row in grid.rows}
    assert found == {MOBILE_SIZES[budget].total_epochs("proxyless", (2, 3))}


def test_the_published_protocol_is_complete() -> None:
    grid = grid_of("paper")
    recipes = {row.name.removesuffix(", without limit"): grid.recipe(row, 0) for row in grid.rows}
    gradient = recipes["gradient"]
    assert (gradient.split.warmup_epochs, gradient.search.epochs) == (40, 40)
    assert (gradient.split.branch, gradient.split.batches) == ([2, 3], 100)
    assert recipes["gradient, 3 splits"].split.branch == [2, 2, 2]
    assert (gradient.search.batch_size, gradient.data.image_size) == (512, 224)
    assert gradient.method.model_dump()["architecture_learning_rate"] == 1e-3
    assert round(1_281_167 * (1 - gradient.data.train_fraction)) == 10_000
    assert epochs(gradient) == 360
    assert (gradient.data.name, gradient.data.limit) == ("imagenet-1k", None)
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
    found = priced.of(largest(Limited(space, priced, recipe.limits.most), priced)).multiply_adds
    assert max(cost for cost in drawn if cost <= limit) <= found <= limit
