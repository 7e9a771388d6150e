"""A front: what it holds, that members can be had again, what it costs, and what is refused."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from shlex import split
from typing import Any

import pytest
import torch

import cleave
from cleave.cli import run as command
from cleave.engine.progress import Callback
from cleave.net.cost import costs
from cleave.pareto.text import print_front
from cleave.search.finished import FinishedRun, open_finished, read_recipe
from cleave.space import NetworkSize, Space, find_space
from tests.tiny import search, write_images

Capture = pytest.CaptureFixture[str]
KINDS: dict[str, dict[str, Any]] = {
    "darts": {},
    "rsps": {"method.name": "rsps", "method.samples": 6, "split.splitter": "random", "split.splits": 1},
    "limited": {"limits.params": 3200, "split.splitter": "none"},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"), each=30)


@pytest.fixture(scope="module", params=KINDS)
def searched(request: pytest.FixtureRequest, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp(request.param) / "run"
    assert command(search(images, out, KINDS[request.param])) == 0
    return out


def opened(run: Path) -> FinishedRun:
    return open_finished(run, read_recipe(run, {}), Callback())


def space_of(run: Path) -> Space:
    return find_space(read_recipe(run, {}).space)


@pytest.mark.parametrize("cost", ["macs", "params"])
def test_members_are_those_that_no_other_beats_and_can_be_had_again(searched: Path, cost: str, tmp_path: Path) -> None:
    front = cleave.front(searched, cost=cost, points=6, out=tmp_path / "front.json")
    assert json.loads((tmp_path / "front.json").read_text()) == front
    known, space = costs(space_of(searched), NetworkSize(2, 1), (3, 8, 8), 2), space_of(searched)
    before, accuracy = -inf, -inf
    result = cleave.load(searched)
    images = opened(searched).problem.valid
    for member in front["members"]:
        arch = space.parse(member["arch"])
        assert space.valid(arch)
        assert (member["macs"], member["params"]) == (known.of(arch).multiply_adds, known.of(arch).parameters)
        assert member[cost] > before
        assert member["valid_accuracy"] > accuracy
        assert member["interval"][0] <= member["valid_accuracy"] <= member["interval"][1]
        before, accuracy = member[cost], member["valid_accuracy"]
        network = result.network(member["arch"], member["leaf"]).eval()
        with torch.no_grad():  # in one batch, as the search judges so few
            right = int((network(torch.as_tensor(images.pixels[:])).argmax(dim=1) == images.labels).sum())
        assert abs(100 * right / len(images) - member["valid_accuracy"]) <= 100 / len(images) + 1e-9


def test_it_is_the_same_again_beside_its_time_and_nothing_of_the_run_is_changed(
    searched: Path, tmp_path: Path, capsys: Capture
) -> None:
    left = {file: file.read_bytes() for file in searched.rglob("*") if file.is_file()}
    told = []
    for number in range(2):
        out = tmp_path / f"{number}.json"
        assert command(["front", str(searched), "--points", "4", "--out", str(out), "--json"]) == 0
        told.append({**json.loads(capsys.readouterr().out), "seconds": 0, "file": ""})
    assert told[0] == told[1]
    assert left == {file: file.read_bytes() for file in searched.rglob("*") if file.is_file()}
    cost = json.loads((searched / "result.json").read_text())["cost"]
    assert told[0]["spent"]["search"] == cost
    assert told[0]["spent"]["front"]["eval_images"] > 0
    assert 0 < told[0]["hypervolume"] < 1


def test_the_share_that_is_dominated_is_that_of_rectangles(searched: Path, tmp_path: Path) -> None:
    front = cleave.front(searched, points=5, out=tmp_path / "front.json")
    space = space_of(searched)
    known = costs(space, NetworkSize(2, 1), (3, 8, 8), 2)
    most = known.extremes(space.parts(space.region), "multiply_adds")[1]
    area, edges = 0.0, [*(member["macs"] for member in front["members"][1:]), most]
    for member, edge in zip(front["members"], edges, strict=True):
        area += (edge - member["macs"]) * member["valid_accuracy"]
    assert front["hypervolume"] == pytest.approx(area / (100 * most))


def test_it_fits_a_terminal_but_for_architectures(searched: Path, tmp_path: Path, capsys: Capture) -> None:
    assert command(["front", str(searched), "--points", "3", "--out", str(tmp_path / "f.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 or line.startswith(("  |", "next: ")) or "f.json" in line for line in lines)
    assert lines[-1].startswith("next: cleave train ")
    asked = split(lines[-1].removeprefix("next: cleave "))
    assert command([*asked, "--epochs", "1", "--out", str(tmp_path / "trained"), "--json"]) == 0
    best = json.loads((tmp_path / "f.json").read_text())["members"][-1]
    assert json.loads(capsys.readouterr().out)["arch"] == best["arch"]


def test_what_cannot_be_asked_is_refused_in_one_line(
    searched: Path, images: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "there.json").write_text("mine")
    for words, told in (
        (["--cost", "watts"], "--cost"),
        (["--out", str(tmp_path / "there.json")], "nothing is overwritten"),
        (["--out", str(tmp_path / "no" / "f.json")], "there is no folder"),
    ):
        assert command(["front", str(searched), *words]) == 2
        err = capsys.readouterr().err
        assert told in err
        assert len(err.splitlines()) == 1
    assert (tmp_path / "there.json").read_text() == "mine"
    with pytest.raises(cleave.UserError, match=r"unknown|known"):
        cleave.load(searched).network("|nor_conv_3x3~0|+|nor_conv_3x3~0|x~1|+|x~0|x~1|x~2|")


def test_a_search_that_keeps_no_weights_has_no_front(images: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "run"
    assert command(search(images, out, {"method.name": "random", "method.samples": 1, "split.splitter": "none"})) == 0
    capsys.readouterr()
    assert command(["front", str(out)]) == 2
    assert "keeps no weights" in capsys.readouterr().err


def test_without_its_package_it_says_what_to_install(
    searched: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleave.extras.find_spec", lambda package: None)
    assert command(["front", str(searched)]) == 2
    assert "pip install 'cleave-nas[front]'" in capsys.readouterr().err


@pytest.mark.parametrize("timed", [True, False])
def test_milliseconds_are_told_where_members_have_them(timed: bool, capsys: Capture) -> None:
    member = {"macs": 10_000, "params": 400, "valid_accuracy": 50.0, "interval": [40.0, 60.0], "leaf": "0", "arch": "a"}
    own = {"latency": 1.25} if timed else {}
    told = {"looked_at": 3, "hypervolume": 0.5, "seconds": 1.0, "file": "f", "next": "n"}
    print_front({"members": [{**member, **own}], **told})
    head, row, *_ = capsys.readouterr().out.splitlines()
    assert ("ms" in head.split()) is ("1.250" in row.split()) is timed
    assert head.index("held-out") == row.index(" 50.00")
