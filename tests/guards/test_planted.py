"""Runs that really have a fault: its guard says so wherever people look, and changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import cleave
from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.errors import Interrupted
from cleave.run.alarm import alarm_lines
from cleave.search.runner import resume, start
from tests.recorder import Impatient, Recorder
from tests.report.parsed import check_page
from tests.retrain.test_command import SIZES as TRAINED
from tests.retrain.test_command import words, write_parts
from tests.tiny import EVERY_STEP, RSPS, SIZES, Ended, leaves, same, search, write_images

Capture = pytest.CaptureFixture[str]
HEALTHY = {
    "space.ops": "[nor_conv_1x1, nor_conv_3x3]",
    "split.splitter": "none",
    "trust.control": 0,
    "trust.panel": 0,
    "search.epochs": 2,
}
EXPLODES = {"method.learning_rate": 20}
FAULTS: dict[str, dict[str, Any]] = {
    "exploding-loss": EXPLODES,
    "still-weights": {"method.architecture_learning_rate": 1e-6},
    "statistics": {
        "space.name": "mobilenet-ofa", "space.width": 0.25, "space.kernels": "[3, 5]", "space.expansions": "[3, 4]",
        "space.depths": "[1, 2]", "method.name": "rsps", "method.samples": 2, "search.statistics": "batch",
    },
}  # fmt: skip
OF_IMAGES = ["overlap", "held-out-is-test", "repeated-batch"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight held-out images, which are a batch, one of them trained on, and all of them those of the test part."""
    folder = tmp_path_factory.mktemp("faulty")
    write_images(folder / "train")
    write_images(folder / "val", each=4)
    shutil.copy(folder / "train" / "class1" / "003.png", folder / "val" / "class1" / "003.png")
    (folder / "test").symlink_to("val")
    return folder


def settings(changes: dict[str, Any]) -> dict[str, Any]:
    """Of a tiny search that nothing is wrong with, but for what is changed."""
    known = {**HEALTHY, **changes}
    own = [key for key in (*SIZES, *HEALTHY) if "space.name" in changes and key in ("space.ops", "space.channels")]
    return {key: value for key, value in {**SIZES, **known}.items() if key not in own}


def asked(images: Path, out: Path, changes: dict[str, Any]) -> list[str]:
    """The arguments of that search."""
    sizes = settings(changes)
    words = search(images, out)[: -2 * len(SIZES)]
    return [*words, *(word for key, value in sizes.items() for word in ("--set", f"{key}={value}"))]


def names(raised: Sequence[dict[str, str]]) -> list[str]:
    return [each["guard"] for each in raised]


def told_everywhere(run: Path, ended: Ended, capsys: Capture) -> list[dict[str, str]]:
    """What result.json says was raised: standard error, the events, `cleave show` and the page have all of it too."""
    raised: list[dict[str, str]] = json.loads((run / "result.json").read_text())["guards"]
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert [each["says"] for each in events if each["kind"] == "guard"] == [each["says"] for each in raised]
    shown = " ".join(Ended(["show", str(run)], capsys).out.split())
    assert Ended(["report", str(run), "--out", str(run.with_suffix(".html"))], capsys).status == 0
    page = check_page(run.with_suffix(".html").read_text(encoding="utf-8"))
    for line in alarm_lines(raised):
        assert f"Warning: {line}" in shown
        assert line in page.lines
    for each in raised:
        assert f"Warning: {alarm_lines([each])[0]}" in ended.err
    return raised


@pytest.mark.parametrize("fault", FAULTS)
def test_a_search_with_a_fault_says_so(fault: str, images: Path, tmp_path: Path, capsys: Capture) -> None:
    ended = Ended(asked(images, tmp_path / "run", FAULTS[fault]), capsys)
    assert ended.status == 0, ended.err
    raised = told_everywhere(tmp_path / "run", ended, capsys)
    assert names(raised) == [fault]
    assert raised[0]["leaf"] == ("" if fault == "statistics" else "root")


def test_a_search_without_a_fault_says_nothing(images: Path, tmp_path: Path, capsys: Capture) -> None:
    ended = Ended(asked(images, tmp_path / "run", {}), capsys)
    assert json.loads(ended.out)["guards"] == []
    assert "guard" not in (tmp_path / "run" / "events.jsonl").read_text()


def test_a_plan_tells_the_faults_that_can_be_seen_before_the_first_step(faulty: Path, capsys: Capture) -> None:
    words = [word for key, value in settings({}).items() for word in ("--set", f"{key}={value}")]
    ended = Ended(["plan", "--data", str(faulty), *words, "--json"], capsys)
    told = [line for line in json.loads(ended.out)["warnings"] if "(guard: " in line]
    assert [line.rpartition("(guard: ")[2].rstrip(")") for line in told] == OF_IMAGES


def test_images_with_faults_are_told_and_guards_that_are_off_change_nothing_else(
    faulty: Path, tmp_path: Path, capsys: Capture
) -> None:
    on = Ended(asked(faulty, tmp_path / "on", {}), capsys)
    raised = told_everywhere(tmp_path / "on", on, capsys)
    assert names(raised) == OF_IMAGES
    assert "1 of 8 held-out images have the pixels of images to train on, such as val/" in raised[0]["says"]
    assert "8 of 8 held-out files that were looked at are in the test part too, by name and size" in raised[1]["says"]
    assert "the same 8 pictures" in raised[2]["says"]
    off = Ended(asked(faulty, tmp_path / "off", {"guards.off": f"[{', '.join(OF_IMAGES)}]"}), capsys)
    assert "guard:" not in off.err
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("on", "off")]
    assert results[1].pop("guards") == []
    assert names(results[0].pop("guards")) == OF_IMAGES
    assert results[0] == results[1]
    weights = [
        {name: data for name, data in leaves(tmp_path / run).items() if name.endswith(".safetensors")}
        for run in ("on", "off")
    ]
    assert weights[0] == weights[1] != {}


def test_a_name_that_is_no_guard_is_refused(images: Path, tmp_path: Path, capsys: Capture) -> None:
    ended = Ended(asked(images, tmp_path / "run", {"guards.off": "[colapse]"}), capsys)
    assert ended.refuses("guards.off", "did you mean 'collapse'?")
    assert not (tmp_path / "run").exists()


def test_a_validation_batch_that_never_changes_is_told(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Ours would be to blame."""
    from cleave.data.stream import BatchStream

    right = BatchStream.indices
    monkeypatch.setattr(BatchStream, "indices", lambda self, step: right(self, 0 if self.purpose == "held" else step))
    ended = Ended(asked(images, tmp_path / "run", {}), capsys)
    assert names(json.loads(ended.out)["guards"]) == ["repeated-batch"]


def test_a_run_that_is_interrupted_at_every_moment_raises_the_same_once(images: Path, tmp_path: Path) -> None:
    """What guards know between steps is in the checkpoints."""
    changes = {**EXPLODES, "method.architecture_learning_rate": 1e-6, **EVERY_STEP, "data.name": images}
    recipe = load_recipe(None, [f"{key}={value}" for key, value in settings(changes).items()], {})
    whole = start(recipe, tmp_path / "whole", Callback())
    assert names(whole["guards"]) == ["exploding-loss", "still-weights"]
    out, sessions = tmp_path / "again", 0
    while not (out / "result.json").exists():
        recorder = Recorder()
        recorder.stop = Impatient(2)
        sessions += 1
        try:
            resume(out, recorder) if sessions > 1 else start(recipe, out, recorder)
        except Interrupted:
            continue
    assert sessions > 3
    assert same(tmp_path / "whole", out)


def test_every_leaf_is_watched_and_told_once(images: Path, tmp_path: Path, capsys: Capture) -> None:
    changes = {**RSPS, "split.splits": 1, "method.samples": 1, **EXPLODES}
    ended = Ended(asked(images, tmp_path / "run", changes), capsys)
    raised = told_everywhere(tmp_path / "run", ended, capsys)
    assert {(each["guard"], each["leaf"]) for each in raised} == {("exploding-loss", "0"), ("exploding-loss", "1")}
    assert len(raised) == 2


def test_a_training_with_faults_says_so_however_often_it_is_interrupted(tmp_path: Path, capsys: Capture) -> None:
    folder = write_parts(tmp_path / "images")
    shutil.move(folder / "test", folder / "val")
    (folder / "test").symlink_to("val")
    shutil.copy(folder / "train" / "cat" / "000.png", folder / "val" / "cat" / "000.png")
    faults = ["training.learning_rate=1000.0", "checkpoint_seconds=0.0"]
    ended = Ended(words(folder, tmp_path / "run", *faults), capsys)
    assert ended.status == 0, ended.err
    raised = told_everywhere(tmp_path / "run", ended, capsys)
    assert names(raised) == ["overlap", "held-out-is-test", "exploding-loss"]
    assert "training.learning_rate" in raised[-1]["says"]
    changes = dict(change.split("=") for change in (*TRAINED, *faults))
    with pytest.raises(Interrupted):
        cleave.train(
            arch_of(tmp_path / "run"), space="darts", data=folder, out=tmp_path / "again",
            settings={key: json.loads(value) for key, value in changes.items()}, callbacks=[Stopping(2)],
        )  # fmt: skip
    again = cleave.resume_training(tmp_path / "again")
    assert again.guards == raised
    assert (tmp_path / "again" / "events.jsonl").read_bytes() == (tmp_path / "run" / "events.jsonl").read_bytes()


def arch_of(run: Path) -> str:
    arch: str = json.loads((run / "result.json").read_text())["arch"]
    return arch


class Stopping(cleave.Callback):
    """Asks a training to stop after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def see(self, progress: cleave.Progress) -> None:
        if progress.doing.startswith("train") and progress.done >= self.steps:
            raise Interrupted
