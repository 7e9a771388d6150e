"""`cleave draw`: what a run chose, or any architecture, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cleave.space import find_space
from tests.guards.test_collapse import DARTS_V2
from tests.registries import as_they_were
from tests.space.test_drawing import read
from tests.tiny import HERE, RSPS, SIZES, Ended, search, sets, write_images

QUICK = {**RSPS, "split.splits": 1, "trust.panel": 0}
CHAIN = f"{Path(__file__).parents[2] / 'docs' / 'examples' / 'chain.py'}:Chain"


@pytest.fixture(autouse=True)
def _spaces() -> Iterator[None]:
    with as_they_were():
        yield


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


@pytest.fixture
def run(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert Ended(search(images, tmp_path / "run", QUICK), capsys).status == 0
    return tmp_path / "run"


def test_a_run_is_drawn(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads((run / "result.json").read_bytes())
    chosen, space = result["chosen"]["arch"], find_space("nasbench201")
    text = Ended(["draw", str(run)], capsys)
    assert text.out == space.draw(space.parse(chosen)) + "\n"
    picture = tmp_path / "cell.svg"
    told = json.loads(Ended(["draw", str(run), "--out", str(picture), "--json"], capsys).out)
    assert (told["arch"], told["space"], told["file"]) == (chosen, "nasbench201", str(picture))
    assert len(read(ElementTree.parse(picture).getroot())) == 6


def test_what_is_not_finished_or_no_run_is_refused(run: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Ended(["draw", str(images)], capsys).refuses(str(images), "holds no run")
    assert Ended(["draw", str(run), "--space", "darts"], capsys).refuses("is of the space nasbench201")
    (run / "result.json").unlink()
    assert Ended(["draw", str(run)], capsys).refuses(str(run), "is not finished", "cleave resume")


def test_an_architecture_of_any_space_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "darts.svg"
    assert Ended(["draw", DARTS_V2, "--space", "darts", "--out", str(picture)], capsys).out == f"{picture}\n"
    assert len(read(ElementTree.parse(picture).getroot())) == 16
    assert "layer1: chain_narrow" in Ended(["draw", "pnsspnnp", "--space", CHAIN], capsys).out
    assert Ended(["draw", DARTS_V2], capsys).refuses("is not of the form", "--space")
    assert Ended(["draw", "434", "--space", "darts"], capsys).refuses("is no genotype")
    assert Ended(["draw", "434", "--space", "nowhere"], capsys).refuses("nowhere", "known")
    nowhere = str(tmp_path / "no" / "folder.svg")
    assert Ended(["draw", "434", "--space", "cells64", "--out", nowhere], capsys).refuses(nowhere, "no such file")


def test_the_file_of_a_runs_space_is_not_run_unasked(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.py"
    source = Path(CHAIN.partition(":")[0]).read_text().replace("LAYERS = 8", "LAYERS = 2").replace('"chain"', '"ours"')
    own.write_text(source.replace("chain_", "ours_").replace("class Chain", "class Ours"))
    sizes = {key: value for key, value in SIZES.items() if key != "space.ops"}
    changes = {**sizes, **QUICK, "space.name": f"{own}:Ours", "trust.control": 0}
    ended = Ended(["search", "--data", str(images), "--out", str(tmp_path / "run"), *HERE, *sets(changes)], capsys)
    assert ended.status == 0, ended.err
    told = Ended(["report", str(tmp_path / "run"), "--space", f"{own}:Ours"], capsys)
    assert told.out == f"{tmp_path / 'run' / 'report.html'}\n"
    own.write_text(own.read_text() + "\nraise SystemExit('run')\n")
    for command in ("draw", "report"):
        assert Ended([command, str(tmp_path / "run")], capsys).refuses("would be run", f"--space {own}:Ours")
