"""Results that are kept with cleave: their tables and pictures are written again, and nothing else is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cleave.reproduce.catalogue import EXPERIMENTS
from cleave.reproduce.experiment import BUDGETS
from cleave.reproduce.stored import stored
from cleave.reproduce.table import markdown
from tests.tiny import Ended

Capture = pytest.CaptureFixture[str]
KEPT = {(budget, name): table for budget in BUDGETS for name, table in stored(budget).items()}


@pytest.mark.parametrize(("budget", "name"), KEPT)
def test_what_is_kept_is_of_an_experiment_that_there_is(budget: str, name: str) -> None:
    table = KEPT[budget, name]
    experiment = EXPERIMENTS[table["experiment"]]
    assert name.startswith(experiment.name)
    assert table["budget"] == budget
    rows = {row.name for row in experiment.rows(experiment.sizes[budget])}
    assert {line["row"] for line in table["lines"]} <= rows


def test_tables_and_pictures_are_written_again(tmp_path: Path, capsys: Capture) -> None:
    told = json.loads(Ended(["reproduce", "all", "--out", str(tmp_path / "out"), "--json"], capsys).out)
    assert set(told["tables"]) == set(stored("small"))
    for name, table in stored("small").items():
        folder = tmp_path / "out" / name
        text = (folder / "table.md").read_text()
        assert text == markdown(table)
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
        assert len(cells) == 1, "all rows of a table have as many cells"
        assert json.loads((folder / "table.json").read_text()) == table
        assert (folder / "figure.png").stat().st_size


def test_it_overwrites_and_ignores_nothing(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "thesis.txt").touch()
    assert Ended(["reproduce", "all", "--out", str(tmp_path)], capsys).refuses("is not empty", "new folder")
    new = ["--out", str(tmp_path / "new")]
    assert Ended(["reproduce", "all", "--budget", "paper", *new], capsys).refuses("--budget paper: no results")
    assert Ended(["reproduce", "all", "--budget", "vast", *new], capsys).refuses("tiny, small, paper")
    options = {"--only": "x", "--seeds": "1", "--tell": "0", "--workers": "1", "--engine": "ray", "--device": "cpu"}
    for words in (["--plan"], *map(list, options.items())):
        assert Ended(["reproduce", "all", *words, *new], capsys).refuses(words[0], "leave it out")
    assert not (tmp_path / "new").exists()
