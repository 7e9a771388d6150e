"""Tables 4 and 8: what a search chooses is trained from scratch on all images, and tested once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.reproduce import retrained
from cleave.reproduce.experiment import ExperimentRow
from cleave.reproduce.retrained import beside, kept
from cleave.reproduce.retrained_rows import table4, table8
from cleave.reproduce.retrained_sizes import DARTS_SIZES, SCHEDULES, TRAINED
from cleave.reproduce.runner import ReproduceRequest, reproduce

FEW = "DARTS (1st), few-shot"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table8") / "out"
    reproduce(request(folder), Callback())
    return folder


def request(folder: Path) -> ReproduceRequest:
    return ReproduceRequest("table8", "tiny", only=(FEW,), out=folder)


def figures(report: dict[str, Any]) -> dict[str, float]:
    return {line["measure"]: line["ours"]["mean"] for line in report["lines"]}


def test_every_way_is_told_by_the_test_of_the_leaf_that_it_takes(out: Path) -> None:
    found, run = figures(json.loads((out / "table.json").read_text())), out / "runs" / "darts-1st-few-shot-seed0"
    selection = json.loads((run / "result.json").read_text())["selection"]
    tests = {leaf["path"]: json.loads(kept(beside(run, leaf["path"])).read_text()) for leaf in selection["leaves"]}
    assert len(tests) == 3
    errors = {path: 100 - test["accuracy"] for path, test in tests.items()}
    assert {way: found[way] for way in selection["chosen"]} == {
        way: errors[path] for way, path in selection["chosen"].items()
    }
    assert found["max"] == min(errors.values())
    assert run.with_name(f"{run.name}.svg").read_text().startswith("<svg")


def test_it_is_told_again_without_training(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = figures(json.loads((out / "table.json").read_text()))
    monkeypatch.setattr(retrained.runner, "start", None)
    monkeypatch.setattr(retrained, "evaluate", None)
    assert figures(reproduce(request(out), Callback())) == before


def test_a_training_by_another_recipe_is_refused(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longer = {**TRAINED["tiny"], "training": {"epochs": 3, "batch_size": 24}}
    monkeypatch.setitem(TRAINED, "tiny", longer)
    with pytest.raises(UserError, match="was trained by another recipe; give --out a new folder"):
        reproduce(request(out), Callback())


@pytest.mark.parametrize("budget", DARTS_SIZES)
def test_all_rows_have_the_same_epochs(budget: str) -> None:
    """Rounded down for few-shot, whose epochs are shared out among the operations."""
    sizes = DARTS_SIZES[budget]
    total = sizes.total_epochs("darts", (2, 2, 2))
    operations = len(sizes.common.get("space.ops", range(7)))
    for row in table4(sizes):
        epochs, warmup = row.changes.get("search.epochs"), sizes.lengths["darts"].warmup
        if "few-shot" in row.name:
            spent = warmup + operations * epochs
            assert total - operations < spent <= total or epochs == 1
        elif epochs is not None:
            assert epochs == total
        else:
            assert (row.changes["split.splits"], row.changes["split.branch"]) == (3, 2)


def test_the_published_protocol_is_complete() -> None:
    sizes = DARTS_SIZES["paper"]
    assert sizes.total_epochs("darts", (2, 2, 2)) == 134  # GM-NAS, appendix D.2
    assert sizes.recipe("darts")["method.architecture_learning_rate"] == pytest.approx(3e-4)
    row = next(row for row in table8(sizes) if row.name == "DARTS (1st), gradient")
    assert row.changes["selection.schedule"] == [30, 100, 600]
    assert row.changes["selection.training"]["batch_size"] == 96
    assert row.changes["selection.space"] == {"cells": 20, "channels": 36}
    assert {way: figure.mean for way, figure in row.published.items()}["halving"] == 2.46
    assert all(schedule[-1] == TRAINED[budget]["training"]["epochs"] for budget, schedule in SCHEDULES.items())


def test_random_search_has_an_architecture_that_was_not_chosen(tmp_path: Path) -> None:
    report = reproduce(
        ReproduceRequest("table4", "tiny", only=("random architecture",), out=tmp_path / "out"), Callback()
    )
    assert 0 <= figures(report)["test error"] <= 100
    run = tmp_path / "out" / "runs" / "random-search-seed0"
    row = ExperimentRow("a random architecture", "random", figure=retrained.ANY)
    assert retrained.of_chosen(run, row)["test error"] == [figures(report)["test error"]]
    chosen = ExperimentRow("random search", "random")
    assert retrained.of_chosen(run, chosen) == {"test error": [retrained.error_of(run, "chosen")]}
