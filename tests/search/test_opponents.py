"""`cleave opponents`: which networks to train beside what a search chose."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

import cleave
from cleave.costing import cost_of
from cleave.search import opponents
from cleave.search.finished import read_recipe
from cleave.space import find_space
from tests.tiny import RSPS, Ended, search, write_images

Capture = pytest.CaptureFixture[str]
MOST = 900_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    limits = {"limits.params": MOST}
    small = {**RSPS, "split.splits": 0, "split.splitter": "none", "trust.control": 0, "trust.panel": 0, **limits}
    assert cleave.cli.run(search(write_images(folder / "images"), folder / "run", small)) == 0
    return folder / "run"


def test_the_scaled_one_is_the_widest_within_the_limits(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a look at every factor finds it; the others are told whether they are within, and what trains them."""
    monkeypatch.setattr(opponents, "STEPS", range(20, 70, 20))
    found = cleave.opponents(run, against=["test_resnet"])
    *named, scaled, drawn = found["opponents"]
    assert [each["name"] for each in named] == [*opponents.USUAL, "test_resnet"]
    assert [each["within"] for each in named] == [each["parameters"] <= MOST for each in named]
    assert [each["within"] for each in named] == [False, False, False, True]
    sizes = {
        step: cost_of("timm:mobilenetv3_large_100", None, [f"width={step / 100}", "classes=2"])["params"]
        for step in opponents.STEPS
    }
    best = max(step for step, size in sizes.items() if size <= MOST)
    assert (scaled["width"], scaled["parameters"], best < 60) == (best / 100, sizes[best], True)
    assert find_space(read_recipe(run, {}).space).parse(drawn["arch"])
    assert drawn["parameters"] <= MOST


def test_without_limits_there_is_no_scaled_one(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opponents, "USUAL", ("test_resnet",))
    recipe, space = read_recipe(run, {}), find_space("nasbench201")
    ours = cleave.search.problem.limited_size(recipe, space, (3, 8, 8), 2)
    assert [each.name for each in opponents.opponents(ours, {})] == [*opponents.USUAL, "random of nasbench201"]
    assert opponents.widest(ours, {"parameters": 10}) is None


def test_the_commands_that_it_tells_train_on_the_images_of_the_search(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(opponents, "STEPS", range(20, 40, 10))
    lines = Ended(["opponents", str(run)], capsys).out.splitlines()
    assert sum("above the limits" in line for line in lines) == 3
    commands = [line for line in lines if line.startswith("cleave train ")]
    assert len(commands) == 2
    small = ["training.epochs=1", "training.batch_size=12", "--device", "cpu"]
    for number, command in enumerate(commands):
        ended = Ended([*shlex.split(command)[1:], *small, "--out", f"run{number}", "--json"], capsys)
        assert ended.status == 0, ended.err
        assert json.loads(ended.out)["parameters"] <= MOST
    searched = json.loads((run / "environment.json").read_text())
    for number in range(2):
        trained = json.loads((tmp_path / f"run{number}" / "environment.json").read_text())
        assert (trained["size"], len(trained["classes"])) == (8, searched["classes"])
    verdict = Ended(["verdict", "run1", "run0", "--json"], capsys)
    assert verdict.status == 0, verdict.err


def test_a_name_that_timm_has_not_is_a_line(run: Path, capsys: Capture) -> None:
    assert Ended(["opponents", str(run), "--against", "resnet19"], capsys).refuses("timm has no network 'resnet19'")
