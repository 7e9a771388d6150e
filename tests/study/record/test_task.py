"""The tasks of a study, one by one: which there are, what they leave behind, how they are stopped and gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import Interrupted, UserError
from cleave.run.generations import read_record
from cleave.run.reading import read_json
from cleave.study.record.log import read_log
from cleave.study.record.problem import Study
from cleave.study.record.seen import to_log
from cleave.study.record.task import DONE, LOG, StudyJob, StudyTask, effort, trainings, tunings
from tests.recorder import Impatient, Recorder
from tests.study.small import same_rows, small_study, trained

TUNED: dict[str, Any] = {"tune.epochs": [1, 2], "tune.batches": 2}
EVERY_STEP: dict[str, Any] = {"checkpoint_seconds": 0}


class Stopper(Callback):
    """Asks to stop when so many steps were seen."""

    def __init__(self, stop: Stop, steps: int) -> None:
        self.stop, self.steps = stop, steps

    def see(self, moment: Progress) -> None:
        self.steps -= 1
        self.stop.requested |= self.steps == 0


def perform(study: Study, run: Path, task: StudyTask, callback: Callback | None = None) -> int:
    return StudyJob(study, run, "run").perform(task, Stop(), callback or Callback())


def stopped_again_and_again(study: Study, run: Path, task: StudyTask) -> int:
    """Does a task, stopped after random numbers of steps; returns how often it was."""
    stops = 0
    while not StudyJob(study, run, "run").is_done(task):
        stop = Stop()
        try:
            StudyJob(study, run, "run").perform(task, stop, Stopper(stop, int(torch.randint(1, 5, ()))))
        except Interrupted:
            stops += 1
            assert not (run / "parts" / task.label / DONE).exists()
    return stops


def test_there_is_a_part_for_each_supernet_of_each_instance_and_each_of_its_snapshots() -> None:
    study = small_study({"sharing.policy": "groups", "sharing.groups": 2, "instances": 2, **TUNED})
    assert [task.label for task in trainings(study)] == [
        "instance0-supernet0", "instance0-supernet1", "instance1-supernet0", "instance1-supernet1",
    ]  # fmt: skip
    assert len(tunings(study)) == 8
    assert len({task.label for task in (*trainings(study), *tunings(study))}) == 12
    assert {task.source for task in tunings(study)} == set(trainings(study))


def test_a_part_leaves_its_rows_its_cost_and_snapshots_and_no_checkpoints(tmp_path: Path) -> None:
    study = small_study({**TUNED, **EVERY_STEP})
    task = StudyTask(0, 0)
    assert perform(study, tmp_path, task) == effort(study, task)
    folder = tmp_path / "parts" / task.label
    assert {file.name for file in folder.iterdir()} - {"lock"} == {DONE, "snapshots", "events.jsonl"}
    expected = trained(study)
    assert same_rows(read_log(folder / DONE / LOG), to_log(expected.looks, "made", study.meta(), 0, 0))
    assert read_json(folder / DONE / "cost.json")["mini_batches"] == 6
    last = read_record(folder / "snapshots" / "2")
    for name, value in expected.supernet.state().items():
        assert torch.equal(last.weights[name], value)


def test_a_finished_part_is_not_done_again(tmp_path: Path) -> None:
    study, task, recorder = small_study(), StudyTask(0, 0), Recorder()
    perform(study, tmp_path, task)
    log = tmp_path / "parts" / task.label / DONE / LOG
    before = log.stat().st_mtime_ns
    assert perform(study, tmp_path, task, recorder) == 0
    assert recorder.moments == []
    assert log.stat().st_mtime_ns == before


@pytest.mark.parametrize("changes", [{"sharing.policy": "prefix", "sharing.cells": 0}, {"checkpoint_seconds": 9}])
def test_parts_that_are_stopped_again_and_again_end_in_the_same_bytes(changes: dict[str, Any], tmp_path: Path) -> None:
    study = small_study({**EVERY_STEP, **TUNED, **changes})
    for task in (StudyTask(0, 0), StudyTask(0, 0, epoch=1)):
        perform(study, tmp_path / "whole", task)
        assert stopped_again_and_again(study, tmp_path / "stopped", task) > 0
        whole, stopped = (tmp_path / name / "parts" / task.label / DONE / LOG for name in ("whole", "stopped"))
        assert whole.read_bytes() == stopped.read_bytes()


def test_tuning_needs_nothing_but_the_snapshot(tmp_path: Path) -> None:
    study = small_study(TUNED)
    perform(study, tmp_path, StudyTask(0, 0))
    perform(study, tmp_path, StudyTask(0, 0, epoch=2))
    log = read_log(tmp_path / "parts" / "instance0-supernet0-tune2" / DONE / LOG)
    assert sorted(set(log.rows["tuned"].tolist())) == [1, 2]
    assert set(log.rows["step"].tolist()) == {6}
    assert len(log.rows["step"]) == 2 * 8


def test_a_damaged_snapshot_is_named_in_one_line(tmp_path: Path) -> None:
    study = small_study(TUNED)
    perform(study, tmp_path, StudyTask(0, 0))
    weights = tmp_path / "parts" / "instance0-supernet0" / "snapshots" / "1" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"snapshots/1.*`cleave resume` the study") as refused:
        perform(study, tmp_path, StudyTask(0, 0, epoch=1))
    assert "\n" not in str(refused.value)


def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_it_used(tmp_path: Path) -> None:
    study, task, recorder = small_study(EVERY_STEP), StudyTask(0, 0), Recorder()
    stop = Stop()
    with pytest.raises(Interrupted):
        StudyJob(study, tmp_path, "run").perform(task, stop, Stopper(stop, 4))
    newest = max((tmp_path / "parts" / task.label / "checkpoints").iterdir())
    (newest / "state.pt").write_bytes(b"")
    perform(study, tmp_path, task, recorder)
    assert [newest.name in line and "set aside" in line for line in recorder.lines] == [True]
    log = read_log(tmp_path / "parts" / task.label / DONE / LOG)
    assert same_rows(log, to_log(trained(study).looks, "made", study.meta(), 0, 0))


@pytest.mark.parametrize("changes", [EVERY_STEP, {}])
def test_a_loss_that_is_not_finite_ends_a_part_in_one_line(changes: dict[str, Any], tmp_path: Path) -> None:
    study = small_study({**changes, "training.learning_rate": 1e30})
    with pytest.raises(UserError, match=r"training\.learning_rate") as refused:
        perform(study, tmp_path, StudyTask(0, 0))
    assert "\n" not in str(refused.value)
    assert "instance" in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [{"tune.epochs": [1], "tune.batches": 1, "instances": 2}, {"sharing.policy": "groups", "sharing.groups": 3}],
)
def test_moments_count_up_to_the_total(changes: dict[str, Any], tmp_path: Path) -> None:
    study = small_study(changes)
    done = 0
    for task in (*trainings(study), *tunings(study)):
        recorder = Recorder()
        done += perform(study, tmp_path, task, recorder)
        seen = [moment.done for moment in recorder.moments]
        assert seen == sorted(seen)
        assert seen[-1] == effort(study, task)
        assert {moment.leaf for moment in recorder.moments} == {task.label}
    assert done == recorder.moments[0].total


def test_tunings_from_a_part_are_of_its_own_children(tmp_path: Path) -> None:
    study = small_study({"sharing.policy": "groups", "sharing.groups": 2, "tune.epochs": [2], "tune.batches": 1})
    perform(study, tmp_path, StudyTask(0, 1))
    perform(study, tmp_path, StudyTask(0, 1, epoch=2))
    log = read_log(tmp_path / "parts" / "instance0-supernet1-tune2" / DONE / LOG)
    assert tuple(log.rows["evaluated"].tolist()) == study.divided[1]
    assert set(log.rows["group"].tolist()) == {1}


def test_a_part_that_is_stopped_within_looks_and_children_ends_in_the_same_bytes(tmp_path: Path) -> None:
    study = small_study({**TUNED, "looks.dense": 3})
    for task in (StudyTask(0, 0), StudyTask(0, 0, epoch=1)):
        perform(study, tmp_path / "whole", task)
        stops = 0
        while not StudyJob(study, tmp_path / "stopped", "run").is_done(task):
            try:
                StudyJob(study, tmp_path / "stopped", "run").perform(task, Impatient(2 * stops), Callback())
            except Interrupted:
                stops += 1
        assert stops > 3
        whole, stopped = (tmp_path / name / "parts" / task.label / DONE / LOG for name in ("whole", "stopped"))
        assert whole.read_bytes() == stopped.read_bytes()
