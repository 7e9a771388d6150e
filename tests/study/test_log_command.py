"""The command: everything at once, of whatever log there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cleave.errors import UserError
from cleave.study.analysis.metrics import gt_taus, mean_tau, s_tau
from cleave.study.analysis.metrics_report import report
from cleave.study.log_command import metrics
from cleave.study.record.log import Log, join, read_log
from cleave.study.record.truth import Truth, read_truth
from cleave.study.record.views import average
from cleave.study.telling.metrics_text import print_metrics
from tests.study.made import log_of, made_log, some_accuracies, some_children, write_log

app = typer.Typer()
app.command()(metrics)


def some_truth(log: Log, runs: int = 3) -> Truth:
    finals = some_accuracies(runs, len(log.children))
    return Truth("made", finals.mean(axis=0), finals.std(axis=0), runs, finals)


def logs() -> Iterator[tuple[str, Log]]:
    children, others = some_children(7), some_children(9, "nasbench201")
    groups = [children[:4], children[4:6], children[6:]]
    yield "dense looks of one", made_log(children, 20)
    yield "ends of epochs alone", made_log(children, 0, instances=2, epochs=3)
    yield "one look at three", made_log(children, 0, instances=3, epochs=1)
    yield "groups", made_log(children, 8, instances=2, epochs=2, groups=groups)
    yield "kinds and tuned", made_log(children, 8, epochs=12, statistics=("child", "recalibrated"), tuned=(1, 10))
    yield "another space", made_log(others, 12, epochs=1, space="nasbench201")
    yield "test images", log_of(children, some_accuracies(9, 7), images="test")
    yield "no ranking at all", log_of(children, np.full((3, 7), 10.0))
    yield "two children", made_log(children[:2], 3, instances=2)


LOGS = dict(logs())


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("with_truth", [True, False])
def test_any_log_has_a_report_that_is_json_and_a_text_of_eighty_columns(
    name: str, with_truth: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    log = LOGS[name]
    found = report(log, some_truth(log) if with_truth else None)
    json.dumps(found, allow_nan=False)
    print_metrics(found)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    assert f"{len(log.children)} children of {log.space.name}" in out
    for row in found["rankings"]:
        assert row["name"] in out
    assert ("need a truth" in out) != with_truth


def test_the_top_of_the_report_is_the_mean_over_instances_of_their_last_looks() -> None:
    log = made_log(some_children(8), 30, instances=3)
    truth = some_truth(log)
    taus = [gt_taus(log.looks(instance, dense=True).last(12), truth) for instance in range(3)]
    found = report(log, truth, last=12)
    for name, figure in (("mean", np.mean), ("std", np.std), ("max", np.max), ("min", np.min)):
        assert found[f"gt_tau_{name}"] == pytest.approx(np.mean([figure(values) for values in taus]))
    first = found["looks"][0]
    assert first["last"] == 12
    assert first["gt_tau"]["mean"]["std"] == pytest.approx(np.std([values.mean() for values in taus]))
    assert (first["estimate"]["over"], first["instances"]) == ("instances", 3)
    assert [part["last"] for part in found["looks"]] == [12, 30, 10]


def test_windows_are_each_there_once_and_no_longer_than_the_looks() -> None:
    log = made_log(some_children(5), 10)
    for last in (None, 10, 500):
        assert [part["last"] for part in report(log, some_truth(log), last=last)["looks"]] == [10]


def test_every_kind_of_statistics_is_in_the_table_and_the_one_asked_for_in_the_rest() -> None:
    log, truth = LOGS["kinds and tuned"], some_truth(LOGS["kinds and tuned"])
    found = report(log, truth, "recalibrated")
    looks = log.looks(0, dense=True, statistics="recalibrated")
    assert found["gt_tau_mean"] == pytest.approx(gt_taus(looks, truth).mean())
    rows = {(row["name"], row["statistics"]): row for row in found["rankings"] if row["of"] == "ranking"}
    names = ("snapshot", "cycle average", "dense average", "epoch average", "tuned 1", "tuned 10")
    assert rows.keys() == {(name, kind) for name in names for kind in log.statistics}
    wanted = mean_tau(average(looks.accuracy)[np.newaxis], truth.mean)
    assert rows["dense average", "recalibrated"]["gt_tau"]["value"] == pytest.approx(wanted)


def test_the_table_ends_with_baselines_and_the_honest_ceiling() -> None:
    log = LOGS["dense looks of one"]
    rows = report(log, some_truth(log))["rankings"]
    assert [row["of"] for row in rows] == ["ranking"] * 3 + ["baseline"] * 6 + ["ceiling"] * 2
    assert [row["honest"] for row in rows if row["of"] == "ceiling"] == [True, False]
    random = next(row for row in rows if row["name"] == "random")
    assert (random["expected"]["t1r"], random["expected"]["t3r"]) == (4, 2)
    simulated = report(log, Truth("made", *some_accuracies(2, 7), runs=4))["rankings"]
    assert [row["simulated"] for row in simulated if row["of"] == "ceiling"] == [True, True]
    bare = report(log, Truth("made", some_accuracies(7)))["rankings"]
    assert {row["of"] for row in bare} == {"ranking", "baseline"}


def test_rows_of_several_instances_are_means_over_them() -> None:
    log = made_log(some_children(9), 4, instances=5)
    truth = some_truth(log)
    row = report(log, truth)["rankings"][0]
    last = np.stack([log.looks(instance, dense=True).accuracy[-1] for instance in range(5)])
    assert (row["name"], row["instances"], row["gt_tau"]["over"]) == ("snapshot", 5, "instances")
    assert row["gt_tau"]["value"] == pytest.approx(mean_tau(last, truth.mean))
    chosen = np.mean([truth.mean[scores == scores.max()].mean() for scores in last])  # equals share the place
    assert row["top1"] == pytest.approx(chosen)
    assert row["regret1"] == pytest.approx(truth.mean.max() - chosen)


def test_s_tau_is_between_instances_and_within_them() -> None:
    log = made_log(some_children(9), 0, instances=4, epochs=12)
    truth = some_truth(log)
    found = report(log, truth)["s_tau"]
    epochs = [log.looks(instance, dense=False).accuracy for instance in range(4)]
    assert found["instances"]["value"] == pytest.approx(s_tau(np.stack([each[-1] for each in epochs])))
    assert (found["instances"]["pairs"], found["instances"]["over"]) == (6, "children")
    assert found["epochs"]["value"] == pytest.approx(np.mean([s_tau(each[-10:]) for each in epochs]))
    assert (found["epochs"]["pairs"], found["epochs"]["over"]) == (4 * 45, "instances")
    assert found["looks"] is None
    assert truth.finals is not None
    assert found["truth"]["value"] == pytest.approx(s_tau(truth.finals))
    assert found["truth"]["min"] <= found["truth"]["value"] <= found["truth"]["max"]


def test_groups_are_measured_among_their_own_children_and_one_child_has_no_tau() -> None:
    log = LOGS["groups"]
    truth = some_truth(log)
    found = report(log, truth)["groups"]
    assert [len(part["children"]) for part in found] == [4, 2, 1]
    assert found[2]["gt_tau"] is None
    looks = [log.looks(instance, dense=True, group=0).accuracy for instance in range(2)]
    own = truth.mean[[log.children.index(child) for child in found[0]["children"]]]
    assert found[0]["gt_tau"] == pytest.approx(mean_tau(np.concatenate(looks), own))
    assert report(LOGS["dense looks of one"], truth)["groups"] == []


def test_the_child_just_trained_is_ranked_within_its_group() -> None:
    children = some_children(6)
    best = np.full((2, 3), 30.0) + np.eye(3)[:2]  # whichever is trained is best among its three
    groups = [children[:3], children[3:]]
    log = join(
        [log_of(group, best, trained=group[:2], group=n) for n, group in enumerate(groups)], "made", LOGS["groups"].meta
    )
    log = Log(log.name, {**log.meta, "children": list(children)}, log.rows)
    found = report(log, None)["just_trained"]
    assert (found["mean_rank"], found["first"], found["looks"], found["chance_rank"]) == (1, 1, 4, 2)


def test_without_a_truth_only_what_needs_none_is_there() -> None:
    found = report(LOGS["dense looks of one"], None)
    assert found["gt_tau_mean"] is None
    assert (found["rankings"], found["looks"], found["instances"], found["truth"]) == ([], [], None, None)
    assert found["s_tau"]["looks"] is not None
    assert found["just_trained"]["looks"] == 20


def invoke(*words: object) -> str:
    found = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def refused(*words: object) -> str:
    with pytest.raises(UserError) as caught:
        invoke(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study's folder."""
    write_log(tmp_path / "log.parquet", made_log(some_children(6), 8, instances=2, epochs=2, statistics=("child",)))
    return tmp_path


def test_the_command_answers_for_a_folder_as_for_its_log(study: Path) -> None:
    folder, log = json.loads(invoke(study, "--json")), json.loads(invoke(study / "log.parquet", "--json"))
    assert folder == log
    assert folder["n"] == {"children": 6, "instances": 2, "dense_looks": 8, "epoch_looks": 2}


def test_options_reach_the_report(study: Path) -> None:
    log = read_log(study / "log.parquet")
    words = ["--truth", study, "--statistics", "child", "--last", "3", "--seed", "5", "--json"]
    wanted: dict[str, Any] = report(log, read_truth(study, log), "child", 3, 5)
    assert json.loads(invoke(study, *words)) == wanted
    assert wanted["looks"][0]["last"] == 3
    assert "children of cells64" in invoke(study)


def test_bad_input_is_one_line(study: Path, tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "none.parquet")
    (tmp_path / "empty").mkdir()
    assert "log.parquet" in refused(tmp_path / "empty")
    (tmp_path / "other.csv").write_text("some,thing\nelse,here\n")
    assert "is neither a log" in refused(tmp_path / "other.csv")
    assert "unknown 'chid'; did you mean 'child'?" in refused(study, "--statistics", "chid")
    assert "has no column" in refused(study, "--truth", tmp_path / "other.csv")
    write_log(tmp_path / "far.parquet", LOGS["another space"])
    assert "is of another space" in refused(study, "--truth", tmp_path / "far.parquet")
    assert "--order" in refused(study, "--order", tmp_path / "order.txt")


def test_a_log_that_lists_a_child_twice_is_refused(study: Path) -> None:
    log = read_log(study / "log.parquet")
    write_log(study / "log.parquet", Log("made", {**log.meta, "children": [*log.children, log.children[0]]}, log.rows))
    assert "lists a child twice" in refused(study)


def test_a_log_that_lacks_children_is_refused(study: Path) -> None:
    log = read_log(study / "log.parquet")
    kept = log.rows["evaluated"] != log.children[3]
    write_log(study / "log.parquet", Log("holed", log.meta, {name: values[kept] for name, values in log.rows.items()}))
    assert f"has no accuracy of child {log.children[3]}" in refused(study)


def test_of_the_published_log_the_command_says_the_published_figures(shared: Path) -> None:
    folder = shared / "data" / "deeper-insights"
    table, order = folder / "share_all_acc_last128.csv", folder / "order_one_0.txt"
    found = json.loads(invoke(table, "--truth", folder / "gt64.csv", "--order", order, "--json"))
    assert [round(found[f"gt_tau_{name}"], 5) for name in ("mean", "std", "max", "min")] == [
        0.50807, 0.15052, 0.74107, 0.13095,
    ]  # fmt: skip
    rows = {row["name"]: row for row in found["rankings"]}
    assert round(rows["dense average"]["gt_tau"]["value"], 5) == 0.65774
    assert round(found["just_trained"]["mean_rank"], 2) == 16.16, "16.13 as published, where equals count as worse"
    assert all(row["gt_tau"]["low"] < row["gt_tau"]["value"] < row["gt_tau"]["high"] for row in found["rankings"])
