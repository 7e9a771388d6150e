"""Every policy of the study, end to end through the command line, at the tiny budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleave.space.registry import SPACES
from cleave.study import runner
from cleave.study.record.log import Log, read_log
from cleave.study.telling.figures import Drawings
from tests.study.small import words
from tests.tiny import HERE, Ended
from tests.toys import ToyMobileNet

Capture = pytest.CaptureFixture[str]
QUICK = ["--set", "training.epochs=1", "--set", "looks.dense=2", "--set", "instances=1"]
CHILDREN = ("111", "112", "121", "122", "211", "212", "221", "222")
ORDERS = {
    "table1/seeds": "fixed", "table1/orders": "shuffled-once", "table1/shuffled": "reshuffled", "table1/iid": "iid",
}  # fmt: skip
SHARINGS = [
    "table3a/shuffled-2", "table3a/sequential-4", "table3b/prefix-0", "table3b/prefix-2", "table3b/prefix-4",
    "policies/convolutions", "policies/all-but-O12", "variants/norm-per-child", "variants/idle",
]  # fmt: skip


@pytest.fixture
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have tests of their own, and drawing them takes longer than the study."""
    monkeypatch.setattr(runner, "draw", lambda subject: Drawings({}, {}, {}))


@pytest.fixture
def toy() -> Iterator[str]:
    SPACES["toymobilenet"] = ToyMobileNet
    yield "toymobilenet"
    del SPACES["toymobilenet"]


def study(arguments: list[str], out: Path, capsys: Capture) -> tuple[dict[str, Any], Log]:
    """What a study that must succeed tells, and its rows."""
    ended = Ended(["study", *arguments, "--out", str(out), *HERE, "--json"], capsys)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert told["folder"] == str(out)
    assert (out / "report.html").is_file()
    return told, read_log(out / "log.parquet")


@pytest.mark.usefixtures("_no_figures")
@pytest.mark.parametrize("name", ORDERS)
def test_a_tiny_study_runs_in_every_order(name: str, tmp_path: Path, capsys: Capture) -> None:
    _, log = study([name, "--budget", "tiny", *QUICK], tmp_path / "run", capsys)
    looks = log.looks(0, dense=True)
    assert looks.children == CHILDREN
    assert looks.steps.tolist() == [5, 6]
    assert log.meta["recipe"]["training"]["order"] == ORDERS[name]
    if ORDERS[name] == "fixed":
        assert looks.trained == ("211", "212")


@pytest.mark.usefixtures("_no_figures")
@pytest.mark.parametrize("name", SHARINGS)
def test_a_tiny_study_runs_under_every_kind_of_sharing(name: str, tmp_path: Path, capsys: Capture) -> None:
    _, log = study([name, "--budget", "tiny", *QUICK], tmp_path / "run", capsys)
    assert log.looks(0, dense=True).accuracy.shape == (2, 8)
    assert len(log.groups(0)) == (int(name.rpartition("-")[2]) if name.startswith("table3a") else 1)


@pytest.mark.usefixtures("_no_figures")
def test_a_tiny_study_of_children_alone_is_the_truth_of_another(tmp_path: Path, capsys: Capture) -> None:
    _, alone = study(["table1/alone", "--budget", "tiny", *QUICK, "--set", "looks.dense=0"], tmp_path / "alone", capsys)
    assert len(alone.groups(0)) == 8
    told, _ = study(
        ["table1/seeds", "--budget", "tiny", *QUICK, "--truth", str(tmp_path / "alone")], tmp_path / "run", capsys
    )
    assert told["truth"] is not None


def test_a_tiny_study_tunes_children(tmp_path: Path, capsys: Capture) -> None:
    changes = ["--set", "tune.epochs=[1]", "--set", "tune.batches=2"]
    _, log = study(["figure4/tuned", "--budget", "tiny", *QUICK, *changes], tmp_path / "run", capsys)
    assert sorted(set(log.rows["tuned"].tolist())) == [0, 1, 2]


@pytest.mark.usefixtures("_no_figures")
def test_a_tiny_study_tells_statistics_apart(tmp_path: Path, capsys: Capture) -> None:
    _, log = study(["figure5/statistics", "--budget", "tiny", *QUICK], tmp_path / "run", capsys)
    assert log.statistics == ("running", "batch", "recalibrated")


def test_a_study_of_nas_bench_201_ranks_sampled_children(tmp_path: Path, capsys: Capture) -> None:
    changes = {"space.name": "nasbench201", "space.ops": "null", "space.children": 4, "space.cells": 1}
    (tmp_path / "mine.yaml").write_text("training: {order: reshuffled}\n")
    _, log = study([str(tmp_path / "mine.yaml"), *words(changes)], tmp_path / "run", capsys)
    assert len(log.children) == 4
    assert all(child.count("|") == 9 for child in log.children), log.children
    assert log.looks(0, dense=True).accuracy.shape == (3, 4)


@pytest.mark.parametrize("sharing", ["all", "prefix"])
def test_a_study_of_a_space_of_the_users_own(sharing: str, toy: str, tmp_path: Path, capsys: Capture) -> None:
    changes = {
        "space.name": toy, "space.ops": "null", "space.children": 5, "sharing.policy": sharing,
        "sharing.cells": 1 if sharing == "prefix" else "null", "looks.statistics": "[tracked, recalibrated]",
    }  # fmt: skip
    (tmp_path / "mine.yaml").write_text("")
    _, log = study([str(tmp_path / "mine.yaml"), *words(changes)], tmp_path / "run", capsys)
    assert len(log.children) == 5
    assert all("layer0=toy_mb" in child for child in log.children)
