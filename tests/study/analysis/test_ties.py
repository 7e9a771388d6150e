"""Logs in which much is equal, through the commands: nothing flatters, and nothing undefined is passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cleave.errors import UserError
from cleave.study.command import app
from cleave.study.record.log import Log, Numbers, all_children
from tests.fresh import fresh
from tests.study.made import log_of, made_log, some_children, write_log

CHILDREN = all_children(made_log(some_children(2), 1).space)
LOOKS = 64


def invoke(*words: object) -> str:
    found = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def measured(log: Path, truth: Path) -> tuple[str, dict[str, Any]]:
    """Text and JSON of `cleave study metrics`."""
    words = ("metrics", log, "--truth", truth)
    return invoke(*words), json.loads(invoke(*words, "--json"))


def log_file(folder: Path, accuracy: Numbers) -> Path:
    """A log of 64 looks at 64 children, each trained once."""
    path = folder / "log.parquet"
    write_log(path, log_of(CHILDREN, accuracy, trained=list(fresh().permutation(CHILDREN))))
    return path


def truth_file(folder: Path, true: Numbers) -> Path:
    path = folder / "truth.csv"
    lines = [f"{child},{value}" for child, value in zip(CHILDREN, true.tolist(), strict=True)]
    path.write_text("\n".join(["architecture,accuracy", *lines]) + "\n")
    return path


def some_truth() -> Numbers:
    return fresh().permutation(64) / 2 + 60


def made(folder: Path, accuracy: Numbers, true: Numbers) -> tuple[str, dict[str, Any]]:
    return measured(log_file(folder, accuracy), truth_file(folder, true))


def case(shared: Path, name: str) -> tuple[Path, Path]:
    folder = shared / "cases"
    if not folder.is_dir():
        pytest.skip("the reference data has no cases")
    return folder / f"{name}.parquet", folder / "truth64.csv"


def all_alike(text: str, found: dict[str, Any]) -> None:
    """What is right where every accuracy of every look is the same."""
    own = found["just_trained"]
    assert (own["mean_rank"], own["chance_rank"], own["first"], own["chance_first"]) == (32.5, 32.5, 1 / 64, 1 / 64)
    assert "mean rank of the child just trained: 32.50" in text
    assert "first in 1.6 % of looks (chance 1.6 %)" in text
    assert "GT-Tau of the last 64 dense looks: -, defined in 0 of 64 looks" in text
    assert "T1R 32.5*, T3R 16.2*" in text
    assert "S-Tau between an instance's last dense looks: -\n  defined in 0 of 45 pairs" in text
    assert "over the last 64" not in text
    window, stability = found["looks"][0], found["s_tau"]["looks"]
    assert (window["defined"], window["looks"], window["shared_first"]) == (0, 64, 64)
    assert (stability["value"], stability["defined"], stability["of"]) == (None, 0, 45)
    rows = [row for row in found["rankings"] if row["of"] == "ranking"]
    random = next(row["expected"] for row in found["rankings"] if "expected" in row)
    assert rows
    for row in rows:
        assert {name: row[name] for name in random if name != "gt_tau"} == {
            name: pytest.approx(value) for name, value in random.items() if name != "gt_tau"
        }
        assert (row["tied"], row["gt_tau"]["value"]) == (64, None)
        assert f"{row['name']}, running*" in text


def test_where_all_is_alike_everything_is_as_chance_has_it(tmp_path: Path) -> None:
    all_alike(*made(tmp_path, np.full((LOOKS, 64), 10.0), some_truth()))


def test_the_constant_log_of_the_reports(shared: Path) -> None:
    all_alike(*measured(*case(shared, "const")))


def by_chance_alone(found: dict[str, Any]) -> None:
    own = found["just_trained"]
    assert own["rank"]["low"] <= 32.5 <= own["rank"]["high"]
    assert own["chance_rank"] == 32.5


def test_the_log_of_chance_alone_of_the_reports(shared: Path) -> None:
    _, found = measured(*case(shared, "coarse500"))
    by_chance_alone(found)
    assert round(found["just_trained"]["mean_rank"], 2) == 29.47
    assert found["looks"][0]["shared_first"] > 0


def test_among_few_images_chance_is_not_taken_for_a_rank() -> None:
    """With equals counted as worse the mean would be near 28; its deviation over these looks is .1."""
    from cleave.study.analysis.metrics_report import just_trained

    random = fresh()
    accuracy = 100 * random.binomial(500, 0.1, size=(20 * LOOKS, 64)) / 500
    trained = list(random.choice(CHILDREN, size=len(accuracy)))
    found = just_trained(log_of(CHILDREN, accuracy, trained=trained), "running", seed=0)
    assert found is not None
    error = (64**2 / 12 / len(accuracy)) ** 0.5
    assert abs(found["mean_rank"] - 32.5) < 5 * error
    assert abs(found["first"] - 1 / 64) < 5 * (1 / 64 / len(accuracy)) ** 0.5


def one_in_order(text: str, found: dict[str, Any]) -> None:
    """What is right of 63 constant looks and one in the order of the truth."""
    assert "GT-Tau of the last 64 dense looks: 1.000, defined in 1 of 64 looks" in text
    assert "over the last 64" not in text
    window = found["looks"][0]
    assert (window["gt_tau"]["mean"]["mean"], window["gt_tau"]["std"]["mean"]) == (pytest.approx(1), None)
    assert (window["defined"], window["looks"], window["shared_first"]) == (1, 64, 63)
    assert window["t1r"]["mean"] == pytest.approx((63 * 32.5 + 1) / 64)
    assert found["jumps"]["running"]["consecutive_tau"]["defined"] == 0
    stars = {row["name"]: row["tied"] > 1 for row in found["rankings"] if row["of"] == "ranking"}
    assert stars == {"snapshot": False, "cycle average": False, "dense average": False}
    assert "T1R 32.0*, T3R 16.0*" in text
    assert "*: several share the highest score" in text


def test_one_look_that_says_something_is_not_called_the_last_64(tmp_path: Path) -> None:
    true = some_truth()
    one_in_order(*made(tmp_path, np.concatenate([np.full((LOOKS - 1, 64), 10.0), true[np.newaxis]]), true))


def test_the_log_of_one_perfect_look_of_the_reports(shared: Path) -> None:
    one_in_order(*measured(*case(shared, "oneperfect")))


def test_rows_whose_highest_score_is_shared_are_starred_and_no_others(tmp_path: Path) -> None:
    true = some_truth()
    accuracy = np.tile(np.arange(64.0), (2, 1))
    accuracy[-1, 62:] = 99.0
    text, found = made_of_two(tmp_path, accuracy, true)
    tied = {row["name"]: row["tied"] for row in found["rankings"] if row["of"] == "ranking"}
    assert tied == {"snapshot": 2, "dense average": 1}
    assert "snapshot, running*" in text
    assert "dense average, running " in text
    assert found["looks"][0]["shared_first"] == 1


def made_of_two(folder: Path, accuracy: Numbers, true: Numbers) -> tuple[str, dict[str, Any]]:
    path = folder / "two.parquet"
    write_log(path, log_of(CHILDREN, accuracy))
    return measured(path, truth_file(folder, true))


def test_instances_in_which_a_tau_is_undefined_are_counted(tmp_path: Path) -> None:
    true, children = some_truth(), list(CHILDREN)
    parts = [log_of(children, row[np.newaxis], dense=False, instance=n) for n, row in enumerate([true, 0 * true, true])]
    rows = {name: np.concatenate([part.rows[name] for part in parts]) for name in parts[0].rows}
    write_log(tmp_path / "log.parquet", Log("made", parts[0].meta, rows))
    text, found = measured(tmp_path / "log.parquet", truth_file(tmp_path, true))
    assert "GT-Tau over instances at their last look: 1.000" in text
    assert "defined in 2 of 3 instances" in text
    assert "S-Tau between instances: 1.000 [1.000 1.000], 1.000 to 1.000\n  defined in 1 of 3 pairs" in text
    assert "snapshot, running*: tau is defined in 2 of 3" in text
    assert (found["s_tau"]["instances"]["defined"], found["s_tau"]["instances"]["pairs"]) == (1, 3)


def refused(*words: object) -> str:
    with pytest.raises(UserError) as caught:
        invoke(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_curves_that_never_vary_are_not_clustered(tmp_path: Path) -> None:
    path, out = log_file(tmp_path, np.full((LOOKS, 64), 10.0)), tmp_path / "groups.csv"
    message = refused("groups", path, "--count", 4, "--out", out)
    assert f"{path}: nothing varies together: 64 of 64 children have the same accuracy at all looks" in message
    assert not out.exists()
    assert "Not clustered: nothing varies together" in page(path, tmp_path)


def test_the_constant_log_of_the_reports_is_not_clustered(shared: Path, tmp_path: Path) -> None:
    path, _ = case(shared, "const")
    assert "nothing varies" in refused("groups", path, "--count", 4, "--out", tmp_path / "groups.csv")
    assert "Not clustered: nothing varies together" in page(path, tmp_path)


def page(path: Path, folder: Path) -> str:
    invoke("report", path, "--out", folder / "page.html")
    return (folder / "page.html").read_text()


def test_children_that_never_vary_are_named(tmp_path: Path) -> None:
    accuracy = fresh().uniform(10, 90, size=(LOOKS, 64))
    accuracy[:, [3, 40]] = 10.1
    path, still = log_file(tmp_path, accuracy), [CHILDREN[3], CHILDREN[40]]
    words = ("groups", path, "--count", 4, "--out")
    assert json.loads(invoke(*words, tmp_path / "one.csv", "--json"))["never_vary"] == still
    line = f"never vary, and count as uncorrelated with all others: {', '.join(still)}"
    assert line in invoke(*words, tmp_path / "two.csv")
    assert f"Never vary, and count as uncorrelated with all others: {', '.join(still)}" in page(path, tmp_path)
