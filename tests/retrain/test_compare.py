"""`cleave compare`: inherited, fine-tuned and from-scratch accuracy side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cleave
from tests.retrain.killing import Killed, Killer
from tests.tiny import RSPS, Ended, search, write_images

Capture = pytest.CaptureFixture[str]
SMALL = ["training.batch_size=12", "training.eval_batch_size=6", "begin.images=20", "--device", "cpu"]
SETTINGS: dict[str, Any] = {"training.batch_size": 12, "training.eval_batch_size": 6, "begin.images": 20}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    small = {**RSPS, "split.splits": 0, "split.splitter": "none", "trust.control": 0, "trust.panel": 0}
    assert cleave.cli.run(search(write_images(folder / "images"), folder / "run", small)) == 0
    return folder / "run"


def test_three_accuracies_stand_side_by_side(run: Path, tmp_path: Path, capsys: Capture) -> None:
    """Those that `cleave train` tells of each training, with means and paired differences."""
    out = tmp_path / "compared"
    words = ["compare", str(run), *SMALL, "--epochs", "2", "--seeds", "0,3", "--out", str(out)]
    told = json.loads(Ended([*words, "--json"], capsys).out)
    trained = {
        row: [json.loads((out / f"{row}-seed{seed}" / "result.json").read_text()) for seed in (0, 3)]
        for row in ("fine-tuned", "from-scratch")
    }
    assert all(each["epochs"] == 2 for found in trained.values() for each in found)
    assert [each["inherited"] for each in trained["from-scratch"]] == [None, None]
    held = {
        "inherited": [each["inherited"]["held_out"]["accuracy"] for each in trained["fine-tuned"]],
        "fine-tuned": [each["held_out"]["accuracy"] for each in trained["fine-tuned"]],
        "from scratch": [each["held_out"]["accuracy"] for each in trained["from-scratch"]],
    }
    assert {row: each["accuracies"] for row, each in told["rows"].items()} == held
    assert all(each["mean"] == pytest.approx(sum(held[row]) / 2) for row, each in told["rows"].items())
    for each in told["differences"]:
        one, other = (told["rows"][row]["mean"] for row in each["rows"])
        assert each["mean"] == pytest.approx(one - other)
    assert json.loads((out / "comparison.json").read_text()) == {
        key: value for key, value in told.items() if key != "folder"
    }
    before = {file: file.read_bytes() for file in out.rglob("result.json")}
    text = Ended(words, capsys).out
    assert {file: file.read_bytes() for file in out.rglob("result.json")} == before, "something was trained again"
    assert "mean of 2 seeds" in text
    assert f"{told['rows']['fine-tuned']['mean']:.2f}" in text
    *_, last = text.splitlines()
    assert Ended(last.split("cleave ")[1].split(), capsys).status == 0


def test_a_comparison_goes_on_where_it_was_interrupted(run: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"epochs": 1, "settings": {**SETTINGS, "checkpoint_seconds": 0.0}, "device": "cpu"}
    whole = cleave.compare(run, out=tmp_path / "whole", **asked)
    with pytest.raises(cleave.Interrupted, match="the same command goes on from there"):
        cleave.compare(run, out=tmp_path / "again", callbacks=[Killer(1)], **asked)
    with pytest.raises(Killed):
        cleave.compare(run, out=tmp_path / "again", callbacks=[Killer(2)], **asked)
    again = cleave.compare(run, out=tmp_path / "again", **asked)
    assert {**again, "folder": ""} == {**whole, "folder": ""}
    assert again["rows"]["inherited"]["interval"] is not None, "of one seed it is that of the images"
    with pytest.raises(cleave.UserError, match="was trained by another recipe; give --out a new folder"):
        cleave.compare(run, out=tmp_path / "again", **{**asked, "epochs": 2})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["data.use=all"], ["data.use=all: leaves no images to compare by"]),
        (["seed=3"], ["seed: differs from row to row", "--seeds"]),
        (["--seeds", "1,1"], ["--seeds: 1 is there twice"]),
        (["--seeds", ""], ["--seeds: give one or more"]),
        (["--scratch", "wide.yaml"], ["space.channels is 5, but 2 in fine-tuning", "the same images and sizes"]),
    ],
)
def test_what_cannot_be_compared_is_refused(
    changes: list[str], said: list[str], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide.yaml").write_text("space: {channels: 5}\n")
    assert Ended(["compare", str(run), *SMALL, *changes, "--out", "compared"], capsys).refuses(*said)
    assert not (tmp_path / "compared").exists()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert Ended(["compare", str(run), "--out", "compared"], capsys).refuses("start it without torchrun")
