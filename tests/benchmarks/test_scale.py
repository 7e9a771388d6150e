"""The real scheduler with workers that only pretend: nothing is lost, whatever their number and their luck."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.scale import Cluster, simulate
from cleave.run.view import newest_saved
from cleave.search.state import State
from cleave.search.task import Task, TaskResult
from cleave.search.tree_stage import TreeStage

CLUSTER = Cluster(workers=3, leaf_seconds=1000, spread=0.1, start_seconds=20, failures=0, checkpoint_seconds=300)


def test_every_leaf_is_done_once_whatever_the_number_of_workers_and_their_failures(tmp_path: Path) -> None:
    calm = simulate(8, CLUSTER, tmp_path / "calm")
    rough = simulate(8, replace(CLUSTER, workers=5, failures=3), tmp_path / "rough")
    assert (calm["failed"], calm["lost"]) == (0, 0)
    assert rough["failed"] > 0
    for read in (lambda run: (run / "events.jsonl").read_bytes(), lambda run: newest_saved(run)["search"]):
        assert read(tmp_path / "calm") == read(tmp_path / "rough")
    assert calm["makespan"] >= (calm["work"] + 8 * 20) / 3
    assert 0 < rough["efficiency"] < calm["efficiency"] < 1


def test_a_failure_costs_no_more_than_since_the_last_checkpoint_and_a_start(tmp_path: Path) -> None:
    found = simulate(8, replace(CLUSTER, failures=3), tmp_path / "run", seed=1)
    assert 0 < found["lost"] <= found["failed"] * (300 + 20)


def test_checkpoints_do_not_grow_with_the_square_of_the_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a hundred were ten: a checkpoint then is written for every tenth of what is merged."""
    monkeypatch.setattr("cleave.search.loop.SAVED_SHARE", 0.1)
    seldom = simulate(40, CLUSTER, tmp_path / "seldom")
    monkeypatch.setattr("cleave.search.loop.SAVED_SHARE", 0.0)
    always = simulate(40, CLUSTER, tmp_path / "always")
    assert seldom["written_folders"] < 0.6 * always["written_folders"]
    assert seldom["written_bytes"] < 0.6 * always["written_bytes"]


def test_ready_tasks_are_looked_for_level_by_level_and_not_for_every_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, tasks = list[int](), TreeStage.tasks

    def looked(stage: TreeStage, state: State, found: Mapping[str, TaskResult]) -> Iterator[Task]:
        looks.append(len(state.tree.nodes))
        return tasks(stage, state, found)

    monkeypatch.setattr(TreeStage, "tasks", looked)
    simulate(40, replace(CLUSTER, workers=4), tmp_path / "run")
    leaves_known = [nodes for nodes in looks if nodes >= 15 + 40]
    assert len(leaves_known) <= 4 + 1, "once for all of them, and once for each of the last that are under way"


def test_other_numbers_of_leaves_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        scale.main(["--leaves", "9"])
    assert ended.value.code == 2
    assert "choose from 8, 40, 1000, 10000" in capsys.readouterr().err
