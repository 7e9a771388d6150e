"""`cleave verdict`: finished trainings on the same test images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import cleave
from cleave.retrain import answers
from cleave.stats.verdict import Answers, judge
from tests.retrain.small import GENOTYPE
from tests.retrain.test_command import write_parts
from tests.tiny import Ended

Capture = pytest.CaptureFixture[str]
SMALL: dict[str, Any] = {"training.epochs": 1, "training.batch_size": 12, "training.eval_batch_size": 20}
DARTS = {**SMALL, "space.channels": 2, "space.cells": 3}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ours, another seed of it, a network of timm's; of classes with different numbers of test images."""
    base = tmp_path_factory.mktemp("runs")
    images = write_parts(base / "images")
    (images / "test" / "cat" / "000.png").unlink()
    for seed in (0, 1):
        cleave.train(GENOTYPE, space="darts", data=images, out=base / f"ours{seed}", seed=seed, settings=DARTS)
    cleave.train("timm:test_resnet", data=images, out=base / "resnet", settings={**SMALL, "space.side": 32})
    return [base / "ours0", base / "ours1", base / "resnet"]


def kept(run: Path) -> Path:
    (file,) = run.glob("answers-*.json")
    return file


def test_all_are_compared_with_ours_in_figures_and_a_sentence(runs: list[Path], capsys: Capture) -> None:
    """The figures are those of the networks, asked here by themselves, and those of `cleave evaluate`."""
    found = json.loads(Ended(["verdict", *map(str, runs), "--json"], capsys).out)
    images = cleave.data.folder.read_folder(runs[0].parent / "images", "test")
    asked = []
    for run in runs:
        network = cleave.retrain.result.trained_network(run)
        with torch.no_grad():
            asked.append(Answers(run.name, network(images.pixels).argmax(dim=1).numpy()))
    assert found["test"] == json.loads(json.dumps(judge(asked[0], asked[1:], images.labels.numpy()).to_json()))
    assert (found["test"]["images"], found["test"]["unequal"], len(found["test"]["comparisons"])) == (27, True, 2)
    for run, each in zip(runs, found["test"]["networks"], strict=True):
        alone = cleave.evaluate(run)
        assert (alone["hits"], alone["balanced_accuracy"]) == (each["hits"], each["balanced_accuracy"])
    told = [json.loads((run / "result.json").read_text()) for run in runs]
    assert [each["multiply_adds"] for each in found["runs"]] == [each["multiply_adds"] for each in told]
    best = min(range(3), key=lambda i: (-told[i]["held_out"]["accuracy"], told[i]["multiply_adds"]))
    assert found["chosen"] == str(runs[best]), "by held-out images, whatever the test says"


def test_the_text_has_the_same_figures_and_ends_with_a_command_that_runs(runs: list[Path], capsys: Capture) -> None:
    found = cleave.verdict(runs)
    lines = Ended(["verdict", *map(str, runs)], capsys).out.splitlines()
    assert lines[0] == found["test"]["sentence"]
    for each in found["test"]["networks"]:
        assert any(line.startswith(each["name"]) and f"{each['accuracy']:.2f}" in line for line in lines)
    assert any(line.startswith("to use: ") for line in lines)
    assert sum(line.startswith("  classes alike") for line in lines) == 3
    assert Ended([*lines[-1].split("cleave ")[1].split(), "--format", "plain"], capsys).status == 0


def test_a_network_is_asked_once(runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless what was kept is of other weights or images, or not as it was written."""
    copies = [shutil.copytree(run, tmp_path / run.name) for run in runs[:2]]
    first = cleave.verdict(copies)["test"]
    asked, surest = list[int](), answers.surest

    def counting(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        asked.append(len(arguments[2]))
        return surest(*arguments)

    monkeypatch.setattr(answers, "surest", counting)
    assert cleave.verdict(copies)["test"] == first
    assert cleave.evaluate(copies[0])["hits"] == first["networks"][0]["hits"]
    assert asked == []
    shutil.copy(kept(copies[1]), kept(copies[0]))
    told = json.loads(kept(copies[1]).read_text())
    told["predicted"][0] = 1 - told["predicted"][0]
    kept(copies[1]).write_text(json.dumps(told))
    assert cleave.verdict(copies)["test"] == first
    assert asked == [20, 7] * 2
    kept(copies[0]).write_text("{")
    assert cleave.verdict(copies)["test"] == first


def test_what_cannot_be_compared_is_refused(runs: list[Path], tmp_path: Path, capsys: Capture) -> None:
    ours, other, _ = map(str, runs)
    assert Ended(["verdict", ours], capsys).refuses("give two finished trainings or more, ours first")
    assert Ended(["verdict", ours, ours], capsys).refuses("is there twice")
    images = write_parts(tmp_path / "images")
    cleave.train(GENOTYPE, space="darts", data=images, out=tmp_path / "foreign", settings=DARTS)
    foreign = Ended(["verdict", ours, str(tmp_path / "foreign")], capsys)
    assert foreign.refuses(f"{tmp_path}/foreign: has other test images than {ours}"), foreign.err
    unfinished = shutil.copytree(runs[1], tmp_path / "unfinished")
    (unfinished / "result.json").unlink()
    assert Ended(["verdict", ours, str(unfinished)], capsys).refuses("is not finished; go on with: cleave resume")
    assert Ended(["verdict", ours, str(tmp_path)], capsys).refuses("holds no run")
    assert other


def test_without_test_images_it_says_what_is_chosen_and_by_what(
    runs: list[Path], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = runs[0].parent / "images"
    (images / "test").rename(images.with_name("away"))
    try:
        ended = Ended(["verdict", *map(str, runs)], capsys)
        assert Ended(["evaluate", str(runs[0])], capsys).refuses(f"{images}: has train/ but none of test")
    finally:
        images.with_name("away").rename(images / "test")
    best = Path(cleave.verdict(runs)["chosen"]).name
    assert ended.refuses("put the test images there", f"by the held-out images {best} is chosen", "too high"), ended.err


def test_test_images_that_were_trained_on_are_told_with_their_files(tmp_path: Path, capsys: Capture) -> None:
    """The training keeps hashes of its images; the test part is opened by those who open it anyway."""
    images = write_parts(tmp_path / "images")
    shutil.copy(images / "train" / "cat" / "003.png", images / "test" / "cat" / "copy.png")
    shutil.copy(images / "train" / "dog" / "004.png", images / "test" / "cat" / "wrong.png")
    runs = [tmp_path / "one", tmp_path / "other"]
    for seed, run in enumerate(runs):
        cleave.train(GENOTYPE, space="darts", data=images, out=run, seed=seed, settings=DARTS)
    (images / "train").rename(tmp_path / "train")  # hashes are enough
    (images / "train").mkdir()
    for name in ("cat", "dog"):
        shutil.copytree(write_parts(tmp_path / name) / "train" / name, images / "train" / name)
    found = cleave.evaluate(runs[0])["copies"]
    assert found == {"images": 2, "other_class": 1, "files": ["test/cat/copy.png", "test/cat/wrong.png"]}
    assert cleave.verdict(runs)["copies"] == found
    line = (
        "Warning: 2 of 30 test images have the pixels of images that were trained on or held out, such as "
        "test/cat/copy.png, test/cat/wrong.png; 1 of them have another class there, so that the accuracy on them says "
        "too much; remove these copies"
    )
    for command in (["evaluate", str(runs[0])], ["verdict", *map(str, runs)]):
        assert line in Ended(command, capsys).out.splitlines()
    shutil.rmtree(runs[0] / "leaves" / "seen")
    assert cleave.evaluate(runs[0])["copies"] is None
    assert "is not known: the training kept no hashes" in Ended(["evaluate", str(runs[0])], capsys).out
