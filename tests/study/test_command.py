"""`cleave study`: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from cleave.cli import run
from cleave.config import load
from cleave.engine.progress import Callback, Progress
from cleave.errors import Interrupted
from cleave.space import find_space
from cleave.study.record.catalogue import ENTRIES, TITLES
from cleave.study.record.log import read_log
from cleave.study.record.problem import chosen_children
from cleave.study.record.recipes import as_yaml
from cleave.study.record.settings import StudyRecipe
from cleave.study.runner import start
from tests.process import at_work
from tests.study.small import log_bytes, recipe_of, words
from tests.tiny import HERE, Ended, found

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study, drawn and all."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "mine.yaml").write_text(as_yaml(recipe_of({"looks.dense": 5})))
    assert run(["study", str(folder / "mine.yaml"), "--out", str(folder / "run"), *HERE]) == 0
    return folder / "run"


def told(arguments: list[str], capsys: Capture) -> dict[str, Any]:
    ended = Ended([*arguments, "--json"], capsys)
    assert ended.status == 0, ended.err
    [line] = ended.out.splitlines()
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("arguments", [["study", "run"], ["study", "--budget", "tiny"]])
def test_without_a_recipe_the_studies_are_listed(arguments: list[str], capsys: Capture) -> None:
    listed = Ended(arguments, capsys)
    assert [line.split()[0] for line in listed.out.splitlines()] == list(ENTRIES)
    assert told(arguments, capsys) == {"studies": list(ENTRIES)}


def test_alone_the_command_tells_what_it_can_do(capsys: Capture) -> None:
    out = Ended(["study"], capsys).out
    assert all(name in out for name in ("run", "table", "metrics", "report", "groups"))


def test_the_tables_are_listed(capsys: Capture) -> None:
    assert told(["study", "table"], capsys) == {"tables": list(TITLES)}


@pytest.mark.parametrize("name", ["table1/orders", "table3b/prefix-2", "figure4/tuned"])
@pytest.mark.parametrize("budget", ["tiny", "small", "paper"])
def test_a_recipe_that_is_printed_reads_back_equal(name: str, budget: str, tmp_path: Path, capsys: Capture) -> None:
    printed = Ended(["study", name, "--budget", budget, "--seed", "7", "--recipe"], capsys)
    expected = load(StudyRecipe, ENTRIES[name].recipe(budget), ["seed=7"], {})
    (tmp_path / "mine.yaml").write_text(printed.out)
    assert told(["study", str(tmp_path / "mine.yaml"), "--recipe"], capsys) == expected.model_dump(mode="json")
    assert not (tmp_path / "runs").exists()


def test_flags_are_keys_of_the_recipe(tmp_path: Path, capsys: Capture) -> None:
    flags = ["--data", "cifar10", "--data-root", str(tmp_path), "--truth", "gt.csv", "--seed", "3", "--device", "cpu"]
    recipe = told(["study", "table1/seeds", *flags, "--set", "seed=4", "--recipe"], capsys)
    assert recipe["data"]["name"] == "cifar10"
    assert recipe["data"]["root"] == str(tmp_path)
    assert (recipe["truth"], recipe["seed"], recipe["device"]) == ("gt.csv", 3, "cpu")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["table1/sedes"], ["study", "table1/seeds"]),
        (["table1/seeds", "--budget", "huge"], ["--budget huge", "tiny"]),
        (["table1/seeds", "--set", "training.epoch=1"], ["training.epoch", "epochs"]),
        (["table1/seeds", "--set", "sharing.polcy=all"], ["sharing.polcy", "policy"]),
        (["nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
        (["table1/seeds", "--data", "cifar11"], ["cifar11"]),
        (["table", "tabel1"], ["table", "table1"]),
        (["table3a/shuffled-16", "--budget", "tiny"], ["sharing.groups=16", "8 children"]),
    ],
)
def test_a_typo_gets_a_suggestion_and_no_folder(
    arguments: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Ended(["study", *arguments], capsys).refuses(*expected)
    assert list(tmp_path.iterdir()) == []


def test_no_workers_are_none(capsys: Capture) -> None:
    ended = Ended(["study", "table1/seeds", "--workers", "0"], capsys)
    assert ended.status == 2
    assert "--workers" in ended.err
    assert "Traceback" not in ended.err


def test_a_finished_study_is_whole_and_told_again(finished: Path, capsys: Capture) -> None:
    for name in ("study.yaml", "log.parquet", "ledger.json", "timing.json", "metrics.json", "report.html"):
        assert (finished / name).is_file(), name
    assert list((finished / "figures").iterdir())
    before = log_bytes(finished)
    again = told(["resume", str(finished)], capsys)
    assert again["folder"] == str(finished)
    metrics = json.loads((finished / "metrics.json").read_text())
    assert {key: again[key] for key in metrics} == metrics
    assert log_bytes(finished) == before


def test_a_study_takes_no_folder_with_something_in_it(finished: Path, capsys: Capture) -> None:
    arguments = ["study", str(finished / "study.yaml"), "--out", str(finished)]
    assert Ended(arguments, capsys).refuses(str(finished), "not empty")


@pytest.mark.parametrize("count", [1, 3, 8])
def test_groups_are_written_once_and_hold_every_child(
    count: int, finished: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "groups.csv"
    arguments = ["study", "groups", str(finished), "--count", str(count), "--out", str(file)]
    groups = told(arguments, capsys)["groups"]
    children = read_log(finished / "log.parquet").children
    assert sorted(child for group in groups for child in group) == sorted(children)
    assert len(groups) == count
    lines = file.read_text().splitlines()
    assert lines[0] == "architecture,group"
    assert lines[1:] == [f"{child},{number}" for number, group in enumerate(groups) for child in group]
    assert Ended(arguments, capsys).refuses(str(file), "nothing is overwritten")


@pytest.mark.parametrize(
    ("source", "count", "expected"),
    [("run", 9, ["9", "8"]), ("nowhere", 2, ["nowhere"]), ("mine.yaml", 2, ["mine.yaml", "log"])],
)
def test_groups_that_cannot_be_made_are_refused(
    source: str, count: int, expected: list[str], finished: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "groups.csv"
    arguments = ["study", "groups", str(finished.parent / source), "--count", str(count), "--out", str(out)]
    assert Ended(arguments, capsys).refuses(*expected)
    assert not out.exists()


def test_a_study_that_is_interrupted_by_hand_goes_on_from_there(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "a run"
    endless = words({"training.epochs": 100_000, "looks.every": 100_000, "looks.dense": 0, "checkpoint_seconds": 0})
    (tmp_path / "mine.yaml").write_text("")
    command = ["study", str(tmp_path / "mine.yaml"), *endless, "--out", str(out), *HERE]
    with at_work(command, lambda: found(out, "parts/*/checkpoints/000003")) as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1] == f"cleave: interrupted and saved; go on with: cleave resume '{out}'"
    checkpoints = list(out.glob("parts/*/checkpoints/*"))
    assert checkpoints
    for file in checkpoints:
        (file / "weights.safetensors").write_bytes(b"not ours")
    assert Ended(["resume", str(out), *HERE], capsys).refuses("checkpoints", "no checkpoint that is whole")


def test_what_was_measured_with_a_truth_is_measured_with_it_again(tmp_path: Path, capsys: Capture) -> None:
    truth, run_folder = tmp_path / "truth.csv", tmp_path / "run"
    children = chosen_children(recipe_of(), find_space(recipe_of().space))
    rows = [f"{child},{60 + 7 * number % 11}" for number, child in enumerate(children)]
    truth.write_text("\n".join(["arch,accuracy", *rows]) + "\n")
    (tmp_path / "mine.yaml").write_text(as_yaml(recipe_of({"seed": 3})))
    words = ["study", str(tmp_path / "mine.yaml"), "--truth", str(truth), "--out", str(run_folder), *HERE]
    assert run(words) == 0
    capsys.readouterr()
    written, page = ((run_folder / name).read_text() for name in ("metrics.json", "report.html"))
    assert told(["study", "metrics", str(run_folder)], capsys) == json.loads(written)
    assert run(["study", "report", str(run_folder)]) == 0
    assert (run_folder / "report.html").read_text() == page
    capsys.readouterr()
    refused = Ended(["study", "metrics", str(run_folder / "log.parquet"), "--last", "2"], capsys)
    assert refused.refuses("--last: is of GT-Tau, which needs a truth")


def test_a_study_that_is_not_finished_is_called_so(tmp_path: Path, capsys: Capture) -> None:
    class Stopped(Callback):
        def see(self, progress: Progress) -> None:
            if progress.done > 2:
                raise Interrupted("enough")

    with pytest.raises(Interrupted):
        start(recipe_of({"checkpoint_seconds": 0}), tmp_path / "run", Stopped())
    for command in ("metrics", "report"):
        ended = Ended(["study", command, str(tmp_path / "run")], capsys)
        assert ended.refuses("is not finished; go on with: cleave resume")
