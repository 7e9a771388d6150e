"""Whole studies in their folders: the same rows however they came about; what cannot be gone on with."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleave.api import is_study
from cleave.engine.engine import Engine
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import SignalStop
from cleave.errors import Interrupted, UserError
from cleave.run.events import Events
from cleave.run.folder import new_folder
from cleave.run.reading import read_json
from cleave.study import runner
from cleave.study.record.log import read_log
from cleave.study.record.partition import write_partition
from cleave.study.runner import name_of, read_recipe, resolve, resume, start
from tests.recorder import Recorder
from tests.study.small import log_bytes, recipe_of
from tests.tiny import write_images

MANY: dict[str, Any] = {
    "sharing.policy": "groups", "sharing.groups": 2, "instances": 2, "tune.epochs": [1], "tune.batches": 1,
    "checkpoint_seconds": 0, "training.order": "reshuffled", "data.report_test": True,
}  # fmt: skip
"""Four supernets and the tunings of their children."""
MOMENTS = 4 * (6 + 1) + 4 * (4 + 1)
"""Six mini-batches of each supernet, then its four children; and the end of each part."""


class Killed(Exception):
    """The process is gone; nothing that a study does may catch this."""


class Killer(Recorder):
    """Kills the process after so many moments, or (as Ctrl-C does) asks it to stop."""

    def __init__(self, moments: int, ending: type[Exception] = Killed) -> None:
        super().__init__()
        self.left, self.ending = moments, ending

    def see(self, moment: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.ending


@pytest.fixture(scope="module", autouse=True)
def _no_page() -> Iterator[None]:
    """Figures and page have tests of their own, and drawing them takes longer than a small study."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "write_results", lambda *_: {"told": True})
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, _no_page: None) -> Path:
    """A study that was left alone."""
    folder = tmp_path_factory.mktemp("runner") / "whole"
    callback = Recorder()
    assert start(recipe_of(MANY), folder, callback)["folder"] == str(folder)
    assert len(callback.moments) == MOMENTS
    return folder


def test_a_study_leaves_its_recipe_its_surroundings_its_rows_and_its_costs(whole: Path) -> None:
    assert is_study(whole)
    assert read_recipe(whole) == resolve(recipe_of(MANY))
    ledger = read_json(whole / "ledger.json")["parts"]
    assert [cost["what"] for cost in ledger] == [
        f"instance{instance}-supernet{group}{kind}"
        for kind in ("", "-tune1") for instance in range(2) for group in range(2)
    ]  # fmt: skip
    assert read_json(whole / "timing.json")["seconds"] == pytest.approx(
        sum(cost["seconds"] for cost in ledger), abs=0.01
    )
    assert {"torch", "cpu", "images"} <= set(read_json(whole / "environment.json"))


def test_the_log_has_every_child_at_every_look(whole: Path) -> None:
    log = read_log(whole / "log.parquet")
    assert log.instances == (0, 1)
    for instance in log.instances:
        assert log.groups(instance) == (0, 1)
        assert log.looks(instance, dense=False).steps.tolist() == [3, 6]
        assert len(log.looks(instance, dense=True)) == 3
        assert log.looks(instance, dense=False, images="test").steps.tolist() == [6]
        tuned = log.where(instance=instance, tuned=1)
        assert sorted(tuned.rows["evaluated"].tolist()) == sorted(log.children)
    assert log.meta["judged_on"] == "held-out"


def test_a_study_that_is_killed_again_and_again_ends_in_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    kills = 1
    with pytest.raises(Killed):
        start(recipe_of(MANY), run, Killer(random.randint(1, 12)))
    while not (run / "log.parquet").exists():
        try:
            resume(run, Killer(random.randint(9, 14)))
        except Killed:
            kills += 1
    assert kills >= 2
    assert log_bytes(run) == log_bytes(whole)
    costs = [read_json(folder / "ledger.json")["parts"] for folder in (run, whole)]
    assert [{**cost, "seconds": 0} for cost in costs[0]] == [{**cost, "seconds": 0} for cost in costs[1]]


class Asker(Callback):
    """Presses Ctrl-C once."""

    def __init__(self, moments: int) -> None:
        self.left, self.stop = moments, SignalStop()

    def see(self, moment: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def test_a_study_that_is_asked_to_stop_says_how_to_go_on_and_does(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "a run"
    with pytest.raises(Interrupted, match=r"go on with: cleave resume '.*a run'"):
        start(recipe_of({**MANY, "checkpoint_seconds": 1000}), run, Asker(10))
    assert not (run / "log.parquet").exists()
    callback = Recorder()
    resume(run, callback)
    assert len(callback.moments) == MOMENTS - 10, "what was done is done again"
    log, other = read_log(run / "log.parquet"), read_log(whole / "log.parquet")
    assert all((log.rows[name] == other.rows[name]).all() for name in log.rows)


def test_two_workers_end_in_the_same_bytes(tmp_path: Path) -> None:
    recipe = recipe_of({"sharing.policy": "groups", "sharing.groups": 2, "training.order": "iid"})
    for workers in (1, 2):
        start(recipe, tmp_path / str(workers), Callback(), Engine(workers))
    assert log_bytes(tmp_path / "1") == log_bytes(tmp_path / "2")


def test_a_finished_study_is_told_again_and_nothing_is_done(whole: Path) -> None:
    before, callback = log_bytes(whole), Recorder()
    assert resume(whole, callback)["told"] is True
    assert callback.moments == []
    assert log_bytes(whole) == before


def test_a_study_is_not_gone_on_with_on_other_images(tmp_path: Path) -> None:
    images, run = write_images(tmp_path / "images"), tmp_path / "run"
    recipe = recipe_of({"data.name": str(images), "data.limit": None, "checkpoint_seconds": 0})
    with pytest.raises(Killed):
        start(recipe, run, Killer(2))
    write_images(images)
    with pytest.raises(UserError, match=r"images: not the images that .*run was started with"):
        resume(run, Callback())


def test_a_study_goes_on_in_its_own_groups_whatever_became_of_the_file(tmp_path: Path) -> None:
    groups, run = tmp_path / "groups.csv", tmp_path / "run"
    children = [f"{a}{b}{c}" for a in "12" for b in "12" for c in "12"]
    write_partition(groups, children, [range(4), range(4, 8)])
    given = {"sharing.policy": "groups", "sharing.by": "given", "sharing.file": str(groups)}
    with pytest.raises(Killed):
        start(recipe_of({**given, "checkpoint_seconds": 0}), run, Killer(8))
    write_partition(groups, children, [range(0, 8, 2), range(1, 8, 2)])
    resume(run, Callback())
    log = read_log(run / "log.parquet")
    for group in (0, 1):
        seen = set(log.where(group=group).rows["evaluated"].tolist())
        assert seen == set(children[4 * group : 4 * group + 4])


def test_a_folder_with_anything_in_it_is_left_as_it_is(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for folder in (tmp_path, whole):
        with pytest.raises(UserError, match="is not empty; nothing is overwritten"):
            start(recipe_of(MANY), folder, Callback())
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not is_study(tmp_path)


def test_a_folder_that_holds_no_study_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no study \(no study.yaml\)"):
        resume(tmp_path, Callback())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"training.learning_rate": 0.01, "training.learning_rate_min": 0.02}, r"training\.learning_rate_min=0\.02"),
        ({"tune.epochs": [1, 3]}, r"tune\.epochs: 3 is after the last epoch"),
        ({"data.name": "nowhere/at/all"}, "nowhere/at/all"),
    ],
)
def test_what_cannot_be_run_is_said_before_there_is_a_folder(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        start(recipe_of(changes), tmp_path / "run", Callback())
    assert not (tmp_path / "run").exists()


def test_snapshots_that_a_matched_budget_never_comes_to_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    matched = {"sharing.policy": "groups", "sharing.groups": 4, "sharing.budget": "matched", "tune.epochs": [2]}
    callback = Recorder()
    with pytest.raises(UserError, match=r"tune\.epochs"):
        start(recipe_of(matched), tmp_path / "run", callback)
    assert callback.moments == []


def test_keys_without_a_meaning_are_named(tmp_path: Path) -> None:
    callback = Killer(1)
    with pytest.raises(Killed):
        start(recipe_of({"sharing.cells": 1, "vary": "order", "instances": 2}), tmp_path / "run", callback)
    assert any(line.startswith("sharing.cells has no meaning with sharing.policy=all") for line in callback.lines)
    assert any("vary=order with training.order=fixed" in line for line in callback.lines)


def test_a_folder_without_a_name_is_one_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = recipe_of({"seed": 5, "training.order": "iid"})
    assert new_folder(name_of(recipe)) == Path("runs/study-cells64-all-iid-seed5")
    assert new_folder(name_of(recipe)) == Path("runs/study-cells64-all-iid-seed5-2")


def test_each_supernet_leaves_the_mean_and_best_accuracy_of_its_children_by_epoch(whole: Path) -> None:
    """Those of its log, for whoever follows the study; tuned snapshots are single children."""
    parts = {path.name: path for path in (whole / "parts").iterdir()}
    told = {name for name, part in parts.items() if (part / "events.jsonl").exists()}
    assert told == {name for name in parts if "tune" not in name}
    for name in told:
        log = read_log(parts[name] / "done" / "log.parquet")
        plain = ~log.rows["dense"].astype(bool)
        events = Events.read(parts[name] / "events.jsonl")
        assert len({(event["phase"], event["epoch"]) for event in events}) == len(events) > 2
        for event in events:
            statistics, images = event["phase"].split()
            here = plain & (log.rows["epoch"] == event["epoch"]) & (log.rows["images"] == images)
            accuracy = log.rows["accuracy"][here & (log.rows["statistics"] == statistics)]
            assert (event["accuracy"], event["best"]) == (pytest.approx(accuracy.mean()), accuracy.max())
