"""Tables of the paper at the tiny budget: what runs, what is found in them, and how they go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.study.analysis.metrics_report import report
from cleave.study.record.catalogue import ENTRIES, TITLES, find_table
from cleave.study.record.log import read_log
from cleave.study.record.truth import Truth, read_truth
from cleave.study.tables import TableRequest, beside, chosen, essence, make_table, measures, recipe_of
from cleave.study.telling.tables_text import markdown, print_table
from tests.fresh import fresh
from tests.study.made import log_of, some_children
from tests.tiny import Ended

CHANGES = ("training.epochs=1", "looks.dense=2", "instances=2", "data.limit=60", "looks.images=10")


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth") / "truth.csv"
    names = [f"{a}{b}{c}" for a in (1, 2) for b in (1, 2) for c in (1, 2)]
    values = fresh().uniform(60, 90, len(names))
    lines = [f"{name},{value},.5,10" for name, value in zip(names, values, strict=True)]
    path.write_text("\n".join(["architecture,accuracy,std,runs", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def made(truth: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("table") / "table"
    return make_table(
        TableRequest("table1", "tiny", ("seeds", "orders"), CHANGES, {"truth": str(truth)}, out), Callback()
    )


def test_a_table_has_a_row_for_every_study_beside_the_papers_figures(made: dict[str, Any], truth: Path) -> None:
    assert [row["name"] for row in made["rows"]] == ["table1/seeds", "table1/orders"]
    for row in made["rows"]:
        published = ENTRIES[row["name"]].published
        for name, measure in row["measures"].items():
            ranks = name.startswith(("t1r", "t3r"))  # the best among 8 children is no match for that among 64
            mean, deviation = (None, None) if ranks else published.get(name, (None, None))
            assert (measure["published"], measure["published_sd"]) == (mean, deviation)
            if mean is not None and measure["ours"] is not None:
                assert measure["difference"] == pytest.approx(measure["ours"] - mean)
        assert set(published) <= set(row["measures"]) | {f"s_tau_epochs{end}" for end in ("", "_max", "_min")}


def test_its_figures_are_those_of_the_studies_own_logs(made: dict[str, Any], truth: Path) -> None:
    log = read_log(Path(made["folder"]) / "studies" / "seeds" / "log.parquet")
    found = report(log, read_truth(truth, log), seed=0)
    ours = {name: measure["ours"] for name, measure in made["rows"][0]["measures"].items()}
    assert ours == {name: figure["ours"] for name, figure in measures(found).items()}
    assert ours["gt_tau_last"] == found["instances"]["gt_tau"]["value"]
    assert ours["gt_tau_mean"] == found["gt_tau_mean"]
    assert ours["s_tau"] == found["s_tau"]["instances"]["value"]


def test_the_cost_of_a_row_is_that_of_all_its_instances(made: dict[str, Any]) -> None:
    row = made["rows"][0]
    steps = -(-48 // 16)  # 48 of 60 images train
    assert (row["instances"], row["mini_batches"], row["per_child"]) == (2, 2 * steps, steps / 8)


def test_the_folder_holds_the_table_its_text_and_a_page(made: dict[str, Any]) -> None:
    out = Path(made["folder"])
    saved = json.loads((out / "table.json").read_text())
    assert {"folder": str(out), **saved} == made
    text = (out / "table.md").read_text()
    assert text == markdown(saved)
    assert text.count("| table1/seeds |") == len(saved["rows"][0]["measures"])
    assert "<html" in (out / "report.html").read_text()
    assert any((out / "figures").glob("*.svg"))


def test_the_same_request_does_nothing_again(made: dict[str, Any], truth: Path) -> None:
    out = Path(made["folder"])
    before = {path: path.stat().st_mtime_ns for path in (out / "studies").rglob("log.parquet")}
    assert (
        make_table(TableRequest("table1", "tiny", ("seeds",), CHANGES, {"truth": str(truth)}, out), Callback())["rows"]
        == made["rows"][:1]
    )
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_truth_may_be_given_like_any_other_key(made: dict[str, Any], truth: Path) -> None:
    request = TableRequest("table1", "tiny", ("seeds",), (*CHANGES, f"truth={truth}"), {}, Path(made["folder"]))
    again = make_table(request, Callback())
    assert again["rows"] == made["rows"][:1]
    assert again["truth"] == str(truth)


def test_a_folder_of_another_recipe_is_refused(made: dict[str, Any]) -> None:
    other = (*CHANGES, "training.learning_rate=0.05")
    with pytest.raises(UserError, match="was run by another recipe; give --out a new folder"):
        make_table(TableRequest("table1", "tiny", ("seeds",), other, {}, Path(made["folder"])), Callback())


def test_the_text_fits_80_columns(made: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    print_table(made)
    *lines, folder = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert made["folder"] in folder


def test_figures_say_in_how_many_looks_they_are_defined(capsys: pytest.CaptureFixture[str]) -> None:
    children, true = some_children(6), np.arange(6.0)
    log = log_of(children, np.concatenate([np.zeros((3, 6)), true[np.newaxis]]))
    ours = measures(report(log, Truth("made", true)))
    assert (ours["gt_tau_mean"]["ours"], ours["gt_tau_mean"]["defined"], ours["gt_tau_mean"]["of"]) == (1.0, 1, 4)
    assert ours["gt_tau_std"]["ours"] is None
    row = {"name": "made", "instances": 1, "per_child": 1.0, "dense_looks": 4}
    row["measures"] = {name: beside(measure, None) for name, measure in ours.items()}
    found = {"title": "Made", "budget": "tiny", "truth": None, "rows": [row], "environment": {}, "seconds": 1.0}
    assert "| GT-Tau, dense looks | 1.000 (defined in 1 of 4) |" in markdown(found)
    print_table({**found, "folder": "made"})
    assert "    defined in 1 of 4" in capsys.readouterr().out


def test_where_things_lie_does_not_make_another_recipe() -> None:
    entry = find_table("table3b")[0]
    plain = recipe_of(entry, TableRequest("table3b", "small"))
    elsewhere = {"data.root": "/elsewhere", "data.storage": "map", "device": "cpu"}
    moved = recipe_of(entry, TableRequest("table3b", "small", flags=elsewhere))
    other = recipe_of(entry, TableRequest("table3b", "small", changes=["seed=1"]))
    assert essence(plain) == essence(moved) != essence(other)


@pytest.mark.parametrize("table", TITLES)
@pytest.mark.parametrize("budget", ["tiny", "small", "paper"])
def test_every_table_has_studies_at_every_budget(table: str, budget: str) -> None:
    entries = chosen(TableRequest(table, budget))
    assert entries
    assert all(recipe_of(entry, TableRequest(table, budget)).instances >= 1 for entry in entries)


def test_the_command_lists_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(["study", "table", "--json"], capsys)
    assert json.loads(ended.out) == {"tables": list(TITLES)}
    assert Ended(["study", "table", "tabel1"], capsys).refuses("unknown 'tabel1'", "did you mean 'table1'")
    assert Ended(["study", "table", "table1", "--budget", "huge"], capsys).refuses(
        "--budget huge", "tiny, small, paper"
    )
    assert Ended(["study", "table", "table1", "--only", "x"], capsys).refuses("--only x", "table1/seeds")
    twice = ["--only", "seeds", "--only", "orders", "--only", "seeds"]
    assert Ended(["study", "table", "table1", *twice], capsys).refuses("--only: seeds is there twice; give each once")
