"""How many seeds would tell a difference, by the seeds of an experiment that were run."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from cleave.reproduce.seeds import needed_seeds
from cleave.stats.power import seeds_for, upper_deviation
from tests.tiny import Ended

Capture = pytest.CaptureFixture[str]
VALUES = {"one": [93.0, 91.5, 92.5], "other": [92.0, 91.0, 90.0], "third": [92.0, None, None]}


def write(folder: Path, values: dict[str, list[Any]], experiment: str = "table1") -> Path:
    """As `cleave reproduce` leaves an experiment with these figures."""
    lines = [{"row": row, "measure": "best", "ours": {"values": own}, "seconds": 60.0} for row, own in values.items()]
    rows = list(values)
    compared = [{"rows": [rows[0], each], "measure": "best"} for each in rows[1:]]
    told = {"experiment": experiment, "budget": "small", "unit": "percent", "lines": lines, "comparisons": compared}
    folder.mkdir(exist_ok=True)
    (folder / "table.json").write_text(json.dumps(told))
    return folder


def test_seeds_follow_from_the_spread_of_the_differences(tmp_path: Path) -> None:
    found = needed_seeds("table1", write(tmp_path, VALUES), 1.0)
    (pair,) = found["pairs"]
    deviation = stdev([1.0, 0.5, 2.5])
    assert (pair["rows"], pair["n"], pair["seconds"]) == (["one", "other"], 3, 120)
    assert pair["deviation"] == pytest.approx(deviation)
    assert pair["upper"] == pytest.approx(upper_deviation(deviation, 3))
    assert pair["seeds"] == seeds_for(1.0, deviation) < pair["at_upper"] == seeds_for(1.0, pair["upper"])


def test_the_command_tells_and_runs_nothing(tmp_path: Path, capsys: Capture) -> None:
    folder = write(tmp_path / "out", VALUES)
    words = ["reproduce", "table1", "--budget", "small", "--out", str(folder), "--tell", "1"]
    told = json.loads(Ended([*words, "--json"], capsys).out)
    head, *lines = Ended(words, capsys).out.splitlines()
    assert head == "table1, small: seeds that tell 1 (percent)"
    assert lines[0] == "one against other (best)"
    assert lines[1].startswith(f"  {told['pairs'][0]['seeds']} by the deviation of 3 (1.04), ")
    assert lines[2] == f"  {told['pairs'][0]['at_upper']} if it is 2.20, which it is below (80 % sure)"
    assert all(len(line) <= 80 for line in [head, *lines])
    assert [file.name for file in folder.iterdir()] == ["table.json"]


def test_of_a_table_whose_times_are_not_known_seeds_are_told_all_the_same(tmp_path: Path, capsys: Capture) -> None:
    folder = write(tmp_path / "out", VALUES)
    told = json.loads((folder / "table.json").read_text())
    lines = [{**line, "seconds": None} for line in told["lines"]]
    (folder / "table.json").write_text(json.dumps({**told, "lines": lines}))
    ended = Ended(["reproduce", "table1", "--out", str(folder), "--tell", "1"], capsys)
    assert ended.out.splitlines()[2].endswith(" by the deviation of 3 (1.04);")


@pytest.mark.parametrize(
    ("values", "name", "difference", "words"),
    [
        (VALUES, "table1", "0", ("--tell 0", "above 0")),
        (VALUES, "table1", "nan", ("--tell nan", "above 0")),
        (VALUES, "table6", "1", ("is of table1", "table6 is asked for")),
        ({"one": [93.0], "other": [92.0]}, "table1", "1", ("two seeds", "--seeds 0,1,2")),
        (None, "table1", "1", ("has no table.json", "the same command without --tell")),
        ({"one": [93.0, 92.0]}, "table1", "1", ("--tell", "table1 compares no two of these rows")),
    ],
)
def test_what_cannot_be_told_is_one_line(
    values: dict[str, list[Any]] | None,
    name: str,
    difference: str,
    words: tuple[str, ...],
    tmp_path: Path,
    capsys: Capture,
) -> None:
    folder = tmp_path if values is None else write(tmp_path, values)
    ended = Ended(["reproduce", name, "--out", str(folder), "--tell", difference], capsys)
    assert ended.refuses(*words)


def test_rows_that_cannot_be_paired_are_named(tmp_path: Path, capsys: Capture) -> None:
    write(tmp_path, {"one": [93.0, 91.0], "other": [92.0]})
    words = ["reproduce", "table1", "--out", str(tmp_path), "--tell", "1"]
    assert Ended(words, capsys).refuses("table.json", "one", "other")
    told = json.loads((tmp_path / "table.json").read_text())
    (tmp_path / "table.json").write_text(json.dumps({**told, "lines": told["lines"][:1]}))
    assert Ended(words, capsys).refuses("table.json", "not there")


def test_an_altered_table_is_named(tmp_path: Path, capsys: Capture) -> None:
    write(tmp_path, VALUES)
    (tmp_path / "table.json").write_text('{"experiment": "table1", "lines": 3}')
    assert Ended(["reproduce", "table1", "--out", str(tmp_path), "--tell", "1"], capsys).refuses("table.json")
