"""How settled cuts are, and what collapses: the same weights for all ways, trees that say what was cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleave.engine.progress import Callback
from cleave.reproduce.cut_rows import agreement, collapsed, ways
from cleave.reproduce.experiment import BUDGETS, ExperimentRow
from cleave.reproduce.grid import slug
from cleave.reproduce.runner import ReproduceRequest, make_grid, reproduce
from cleave.run.view import view
from tests.tiny import write_table

WAY, OTHER = "RSPS, gradients, 8 batches", "RSPS, cosines, 2 batches"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cuts") / "out"
    reproduce(ReproduceRequest("cuts", "tiny", only=(WAY, OTHER), out=out), Callback())
    return out


def roots(out: Path) -> dict[str, Any]:
    return {
        row: json.loads((out / "runs" / f"{slug(row)}-seed0" / "tree.json").read_text())[0]["split"]
        for row in (WAY, OTHER)
    }


def test_agreement_is_what_the_trees_say(made: Path) -> None:
    lines = json.loads((made / "table.json").read_text())["lines"]
    found = {(line["row"], line["measure"]): line["ours"]["mean"] for line in lines}
    mine, theirs = roots(made)[OTHER], roots(made)[WAY]
    parted = [
        sorted(map(sorted, each["scores"][edge]["groups"])) for edge in theirs["scores"] for each in (mine, theirs)
    ]
    same = [one == other for one, other in zip(parted[::2], parted[1::2], strict=True)]
    assert len(same) == 6
    assert found[OTHER, "edges with the same groups, %"] == pytest.approx(100 * sum(same) / 6)
    assert found[OTHER, "the same edge is split, %"] == 100 * (mine["choice"] == theirs["choice"])
    assert found[WAY, "edges with the same groups, %"] == found[WAY, "the same edge is split, %"] == 100
    assert found[OTHER, "number of the edge"] == sorted(mine["scores"]).index(mine["choice"])


def test_without_the_row_that_it_is_compared_with_it_is_undefined(made: Path) -> None:
    cut = {"split": roots(made)[OTHER]}
    assert set(map(tuple, agreement(cut, made / "not there").values())) == {(None,)}


@pytest.mark.parametrize("budget", BUDGETS)
def test_all_ways_warm_the_same_supernet_up(budget: str) -> None:
    """All but how candidates are compared is the same in the rows of a method."""
    grid = make_grid(ReproduceRequest("cuts", budget))
    recipes = [grid.recipe(row, 3).model_dump() for row in grid.rows]
    for told in recipes:
        for key in ("average", "batches", "rule"):
            del told["split"][key]
    for method in ("rsps", "darts"):
        first, *others = [told for told in recipes if told["method"]["name"] == method]
        assert len(others) == 4
        assert all(told == first for told in others)
    assert {row.figure for row in ways(grid.experiment.sizes[grid.budget])} == {grid.rows[0].name, grid.rows[5].name}


def test_skip_connections_are_counted_in_what_leaves_found(tmp_path: Path) -> None:
    write_table(tmp_path / "table.npz")
    request = ReproduceRequest(
        "collapse", "tiny", only=("random",), flags={"benchmark": str(tmp_path / "table.npz")}, out=tmp_path / "out"
    )
    reproduce(request, Callback())
    run = tmp_path / "out" / "runs" / "random-seed0"
    shares = [100 * leaf["arch"].count("skip_connect~") / 6 for leaf in view(run)["leaves"]]
    found = collapsed(run, ExperimentRow("random", "darts"))
    assert found["skip connections, average leaf, %"] == [pytest.approx(sum(shares) / len(shares))]
    chosen = view(run)["chosen"]["arch"].count("skip_connect~")
    assert found["skip connections, chosen leaf, %"] == [pytest.approx(100 * chosen / 6)]
