"""Rivals of gradient matching: equal steps for all, and floors beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleave.engine.progress import Callback
from cleave.reproduce.budgets import SIZES
from cleave.reproduce.catalogue import find_experiment
from cleave.reproduce.experiment import BUDGETS
from cleave.reproduce.grid import Grid
from cleave.reproduce.rival_rows import FLOORS, SNAPSHOTS
from cleave.reproduce.runner import ReproduceRequest, make_grid, reproduce
from cleave.resolve import resolve
from cleave.space import find_space
from tests.tiny import write_table


def epochs(grid: Grid) -> dict[str, int]:
    """By row those of all nodes, as the recipe says them."""
    found = {}
    for row in grid.rows:
        recipe, _ = resolve(grid.recipe(row, 0), find_space(grid.recipe(row, 0).space))
        warms = recipe.split.splitter in ("gradient", "output")
        leaves = 2 if recipe.split.splits else 1
        found[row.name] = leaves * recipe.search.epochs + warms * recipe.split.warmup_epochs
    return found


@pytest.mark.parametrize("budget", BUDGETS)
def test_all_rows_train_for_as_long(budget: str) -> None:
    found = epochs(make_grid(ReproduceRequest("rivals", budget)))
    assert set(found.values()) == {found["no split"]}


def test_floors_stand_beside_the_supernets(tmp_path: Path) -> None:
    table = tmp_path / "table.npz"
    write_table(table)
    request = ReproduceRequest(
        "rivals", "tiny", only=("parameters",), flags={"benchmark": str(table)}, out=tmp_path / "out"
    )
    found = {(line["row"], line["measure"]): line["ours"]["mean"] for line in reproduce(request, Callback())["lines"]}
    assert -1 <= found["parameters", "tau"] == found["parameters", "tau, recalibrated"]
    assert found["parameters", "best leaf, by the table"] is None
    assert (tmp_path / "out" / "figure.png").stat().st_size
    assert {row.name for row in find_experiment("rivals").rows(find_experiment("rivals").sizes["tiny"])} >= set(FLOORS)


def test_one_supernet_is_judged_in_three_ways_and_wide_too(tmp_path: Path) -> None:
    table = tmp_path / "table.npz"
    write_table(table)
    request = ReproduceRequest(
        "ranking-recipes", "tiny", only=("wide",), flags={"benchmark": str(table)}, out=tmp_path / "out"
    )
    lines = reproduce(request, Callback())["lines"]
    taus = [line["measure"] for line in lines if line["measure"].startswith("tau")]
    assert taus == ["tau", "tau, recalibrated", f"tau, recalibrated, mean of {SNAPSHOTS} snapshots"]
    wide, narrow = (
        make_grid(ReproduceRequest("ranking-recipes", "tiny", only=(only,))).recipe(row, 0)
        for only, row in (
            ("wide", find_experiment("ranking-recipes").rows(SIZES["tiny"])[3]),
            ("narrow", find_experiment("ranking-recipes").rows(SIZES["tiny"])[0]),
        )
    )
    assert wide.space.channels == 4 * narrow.space.channels
