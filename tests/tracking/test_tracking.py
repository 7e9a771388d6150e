"""A tracker costs no run anything, whatever it does; and a run that goes on goes on there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import cleave
from cleave.tracking import state, teller, tracking
from cleave.tracking.tracking import Tracking
from tests.recorder import Recorder
from tests.retrain.small import GENOTYPE
from tests.retrain.test_command import write_parts
from tests.tiny import Ended
from tests.tracking.made import SETTINGS, epoch, write

Capture = pytest.CaptureFixture[str]
Package = Callable[[str, str], None]
RECORDING = """
import json, os
def write(*what):
    with open(os.path.join({folder!r}, "told"), "a") as file:
        file.write(json.dumps(what) + "\\n")
class Run:
    def log(self, values, step=None):
        print("trackio says:", values)
        write("log", values, step)
    def finish(self):
        write("finish")
def init(**settings):
    write("init", settings["name"], settings["config"])
    return Run()
"""
FAULTS = {
    "raise OSError('no such library')": (60, "OSError: no such library; the run goes on without it"),
    "import sys; sys.exit('not\\nallowed')": (60, "allowed; the run goes on without it"),
    "def init(**_): raise ValueError('no\\nkey')": (60, "ValueError: no key; the run goes on without it"),
    "import os; os.abort()": (60, "its process ended with status -6; the run goes on without it"),
    "import time; time.sleep(600)": (1, "was not done 1 s after the run, which did not wait for it any longer"),
}
"""What a package does, for how long the end of the run waits, and what is said."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Writes a module that is found before any that is installed."""
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    (tmp_path / "packages").mkdir()
    return lambda name, text: (tmp_path / "packages" / f"{name}.py").write_text(text) and None


@pytest.mark.parametrize("fault", FAULTS)
def test_one_that_fails_is_said_once(
    fault: str, package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience, said = FAULTS[fault]
    monkeypatch.setattr(tracking, "PATIENCE", patience)
    package("wandb", fault)
    write(tmp_path / "run" / "events.jsonl", epoch("0", 1))
    lines = list[str]()
    looking = Tracking("wandb", lines.append)
    looking.begin_run(tmp_path / "run", SETTINGS)
    looking.end_run()
    assert lines == [f"wandb: {said}"]


def test_the_others_are_told(package: Package, tmp_path: Path) -> None:
    package("trackio", RECORDING.format(folder=str(tmp_path)))
    package("wandb", "raise OSError('no')")
    package("mlflow", "")
    write(tmp_path / "run" / "events.jsonl", epoch("0", 1))
    (tmp_path / "run" / state.TRACKERS).mkdir()
    state.file_of(tmp_path / "run", "mlflow").write_text("{")
    lines = list[str]()
    looking = Tracking(["wandb", "mlflow", "trackio"], lines.append)
    for _ in range(2):
        looking.begin_run(tmp_path / "run", SETTINGS)
        looking.end_run()
    assert sorted({line.split(":")[0] for line in lines}) == ["mlflow", "wandb"]
    assert any(f"{tmp_path}/run/trackers/mlflow.json" in line for line in lines)
    told = [json.loads(line)[0] for line in (tmp_path / "told").read_text().splitlines()]
    assert told == ["init", "log", "finish", "init", "finish"]


def test_one_that_is_not_installed_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(teller, "find_spec", lambda name: None)
    assert teller.main("wandb", str(tmp_path)) == 1
    assert capsys.readouterr().err == "is not installed here (pip install wandb)\n"


def test_the_end_waits_for_what_is_not_told_yet(package: Package, tmp_path: Path) -> None:
    package("trackio", RECORDING.format(folder=str(tmp_path)))
    (tmp_path / "run").mkdir()
    looking = Tracking("trackio")
    looking.begin_run(tmp_path / "run", SETTINGS)
    write(tmp_path / "run" / "events.jsonl", epoch("0", 1))
    looking.end_run()
    assert [json.loads(line)[0] for line in (tmp_path / "told").read_text().splitlines()] == ["init", "log", "finish"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["wandbb"], ["tracker: unknown 'wandbb'", "did you mean 'wandb'", "known: mlflow"]),
        (["none", "wandb"], ["tracker: none and others"]),
        (["wandb", "WandB"], ["tracker: wandb is there twice"]),
    ],
)
def test_what_cannot_be_meant_is_one_line(names: list[str], words: list[str], tmp_path: Path, capsys: Capture) -> None:
    flags = [word for name in names for word in ("--tracker", name)]
    assert Ended(["search", "--out", str(tmp_path / "run"), *flags], capsys).refuses(*words)
    assert not (tmp_path / "run").exists()


def test_a_training_that_is_interrupted_goes_on_in_the_same_place(
    package: Package, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is alone on standard output, and the same as without trackers."""
    package("trackio", RECORDING.format(folder=str(tmp_path)))
    images, run = write_parts(tmp_path / "images"), tmp_path / "run"
    sizes = ["training.epochs=2", "training.batch_size=12", "space.channels=2", "space.cells=3"]
    words = ["train", GENOTYPE, *sizes, "--space", "darts", "--data", str(images), "--json"]
    plain = json.loads(Ended([*words, "--out", str(tmp_path / "plain")], capsys).out)
    assert not (tmp_path / "plain" / "trackers").exists()

    class Stopping(Recorder):
        def see(self, moment: cleave.Progress) -> None:
            raise cleave.Interrupted

    settings = {"space.channels": 2, "space.cells": 3, "training.epochs": 2, "training.batch_size": 12}
    looking = [Stopping(), cleave.Tracking("trackio")]
    with pytest.raises(cleave.Interrupted):
        cleave.train(GENOTYPE, space="darts", data=images, out=run, settings=settings, callbacks=looking)
    monkeypatch.delenv("CLEAVE_TRACKER")  # which says that there are to be none
    found = json.loads(Ended(["resume", str(run), "--json"], capsys).out)
    assert {**found, "run": "", "seconds": 0} == {**plain, "run": "", "seconds": 0}
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    first, second = (each for each in told if each[0] == "init")
    assert first == second
    assert first[2]["training.epochs"] == 2
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    logged = [each[1:] for each in told if each[0] == "log" and "network/train/loss" in each[1]]
    losses = [(values["network/train/loss"], step) for values, step in logged]
    assert losses == [(event["loss"], event["epoch"]) for event in events]
    assert told[-2][1]["result/held_out.accuracy"] == found["held_out"]["accuracy"]


def test_tensorboard_is_told_unless_something_else_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = list[str]()
    monkeypatch.setattr(tracking, "Teller", lambda name, *_: begun.append(name))
    for there, names, expected in (
        (True, None, ["tensorboard"]),
        (False, None, []),
        (True, "none", []),
        (True, ["trackio"], ["trackio"]),
    ):
        monkeypatch.setattr(tracking, "find_spec", lambda name, there=there: there or None)
        run = tmp_path / f"{there}{names}"
        run.mkdir()
        for asked in (names, None):  # then the run goes on
            looking = Tracking(asked, usual=asked is names)
            begun.clear()
            looking.begin_run(run, SETTINGS)
            assert begun == expected
