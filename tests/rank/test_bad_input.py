"""What a ranking cannot do is said in one line, and nothing is written."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cleave.bench.table import Table
from cleave.rank.truth import architectures
from cleave.run.folder import RunFolder
from cleave.run.origin import SEARCH, read_origin
from cleave.search.state import State
from cleave.space.nb201 import NASBench201
from cleave.space.registry import SPACES
from tests.fresh import fresh
from tests.rank.small import QUICK, SMALL, Capture, ranking, searched
from tests.tiny import EVERY_STEP, Ended, write_images, write_table
from tests.toys import ToyCells64

RANDOM = {**SMALL, "method.name": "random", "method.samples": 2}
del RANDOM["split.splitter"], RANDOM["split.splits"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_table(tmp_path_factory.mktemp("table") / "table.npz")


@pytest.fixture(scope="module")
def finished(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched(images, tmp_path_factory.mktemp("finished") / "run", SMALL)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A run of the test's own."""
    return shutil.copytree(finished, tmp_path / "run")


def test_a_table_that_lacks_an_architecture_is_refused(
    run: Path, whole: Table, tmp_path: Path, capsys: Capture
) -> None:
    space = NASBench201(["skip_connect", "nor_conv_1x1"])
    archs = architectures(space, connected=False)
    lacking = space.format(archs[fresh().integers(len(archs))])
    rows = np.arange(len(whole)) != whole.index(lacking)
    part = Table("part", whole.operations[rows], {name: column[rows] for name, column in whole.columns.items()})
    part.save(tmp_path / "part.npz")
    assert Ended(ranking(run, tmp_path / "part.npz"), capsys).refuses(str(tmp_path / "part.npz"), "lacks", lacking)
    assert not (run / "ranking.csv").exists()


def test_without_any_table_it_is_said_how_to_get_one(run: Path, tmp_path: Path, capsys: Capture) -> None:
    assert Ended(["rank", str(run), "--json"], capsys).refuses("no table", "cleave benchmark import")
    assert Ended(ranking(run, tmp_path / "absent.npz"), capsys).refuses("absent.npz", "no such file")


def test_a_run_of_a_space_without_a_table_is_refused(
    images: Path, whole: Table, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SPACES, "toycells64", ToyCells64)
    path = searched(images, tmp_path / "toy", {**QUICK, "space.name": "toycells64", "space.ops": "null"})
    assert Ended(ranking(path, Path(whole.name)), capsys).refuses("toycells64", "no table of trained accuracies")


def test_more_than_there_is_cannot_be_drawn_or_averaged(run: Path, whole: Table, capsys: Capture) -> None:
    table = Path(whole.name)
    assert Ended(ranking(run, table, "--sample", "65"), capsys).refuses("--sample 65", "64 architectures")
    assert Ended(ranking(run, table, "--average", "2"), capsys).refuses("--average 2", "search.snapshots=2")
    assert Ended(ranking(run, table, "--forgetting", "0.1"), capsys).refuses("--forgetting", "--recalibrate")
    forgetting = ["--recalibrate", "2", "--forgetting", "0"]
    assert Ended(ranking(run, table, *forgetting), capsys).refuses("--forgetting", "above 0")
    assert Ended(ranking(run, table, "--sample", "1"), capsys).refuses("--sample", "2")
    assert Ended(ranking(run, table, "--dataset", "cifar11"), capsys).refuses("--dataset", "cifar11", "cifar10")


def test_a_file_is_never_overwritten_and_needs_a_folder(
    run: Path, whole: Table, tmp_path: Path, capsys: Capture
) -> None:
    (run / "ranking.csv").write_text("precious")
    assert Ended(ranking(run, Path(whole.name)), capsys).refuses(str(run / "ranking.csv"), "--out", "overwritten")
    assert (run / "ranking.csv").read_text() == "precious"
    out = str(tmp_path / "no" / "such.csv")
    assert Ended(ranking(run, Path(whole.name), "--out", out), capsys).refuses(out, "no folder")


def test_an_architecture_of_a_leaf_that_was_not_trained_is_named_with_the_leaf(
    images: Path, whole: Table, tmp_path: Path, capsys: Capture
) -> None:
    """Three splits into single operations: without 3<-0, 3<-1 and 3<-2 nothing reaches the output."""
    cut = {"split.splitter": "exhaustive", "split.splits": 3, "split.choice": "['3<-0', '3<-1', '3<-2']"}
    few = {**QUICK, **cut, "space.ops": "[none, skip_connect]", "split.restart": "true"}
    run = searched(images, tmp_path / "cut", few)
    empty = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert Ended(ranking(run, Path(whole.name)), capsys).refuses(empty, "leaf 0.0.0", "--connected")
    assert Ended(ranking(run, Path(whole.name), "--connected"), capsys).status == 0


def test_an_architecture_that_no_leaf_holds_is_named(run: Path, whole: Table, capsys: Capture) -> None:
    folder = RunFolder(run, read_origin(run, SEARCH))
    record = folder.generations.newest(print)
    state = State.from_json(record.meta["search"], run)
    lost = state.tree.nodes.pop(state.tree.leaves[-1].path)
    folder.generations.commit(replace(record, meta={**record.meta, "search": state.to_json()}))
    arch = NASBench201().format({choice: allowed[0] for choice, allowed in lost.region.allowed.items()})
    assert Ended(ranking(run, Path(whole.name)), capsys).refuses(arch, "no leaf", str(run))


def test_a_run_that_is_not_finished_or_none_is_refused(
    run: Path, whole: Table, tmp_path: Path, capsys: Capture
) -> None:
    (run / "result.json").unlink()
    assert Ended(ranking(run, Path(whole.name)), capsys).refuses("not finished", f"cleave resume {run}")
    assert Ended(ranking(tmp_path / "absent", Path(whole.name)), capsys).refuses("absent", "no run")


def test_a_run_whose_weights_or_checkpoint_are_not_its_own_is_refused(
    run: Path, images: Path, whole: Table, tmp_path: Path, capsys: Capture
) -> None:
    other = searched(images, tmp_path / "other", {**SMALL, **EVERY_STEP, "seed": 1})
    (run / "leaves" / "0").rename(tmp_path / "aside")
    (other / "leaves" / "0").rename(run / "leaves" / "0")
    assert Ended(ranking(run, Path(whole.name)), capsys).refuses(str(run / "leaves" / "0"))
    (run / "checkpoints").rename(tmp_path / "checkpoints aside")
    (other / "checkpoints").rename(run / "checkpoints")
    assert Ended(ranking(run, Path(whole.name)), capsys).refuses(str(run / "checkpoints"), "another run")


def test_a_method_that_shares_no_weights_cannot_be_ranked(
    images: Path, whole: Table, tmp_path: Path, capsys: Capture
) -> None:
    run = searched(images, tmp_path / "random", RANDOM)
    assert Ended(ranking(run, Path(whole.name)), capsys).refuses("method.name=random", "shares no weights")


def test_predictions_that_lack_the_column_or_an_architecture_are_refused(
    run: Path, whole: Table, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "p.csv"
    for text, words in (("name,x\na,1\n", ["no column arch"]), ("arch,x\na,1\n", ["lacks 64 of the 64"])):
        file.write_text(text)
        ended = Ended(ranking(run, Path(whole.name), "--predictions", str(file)), capsys)
        assert ended.refuses(str(file), *words)


def test_predictions_are_not_listed_twice(run: Path, whole: Table, tmp_path: Path, capsys: Capture) -> None:
    twice = ["--predictions", str(tmp_path / "a.csv"), "--predictions", str(tmp_path / "." / "a.csv")]
    ended = Ended(ranking(run, Path(whole.name), *twice), capsys)
    assert ended.refuses("--predictions", "a.csv is there twice; give each once")


def test_a_recipe_is_not_searched_when_the_question_is_wrong(
    run: Path, whole: Table, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = run / "recipe.yaml"
    for flags in (["--sample", "65"], ["--average", "9"], ["--out", str(recipe)], ["--predictions", "absent.csv"]):
        assert Ended(ranking(recipe, Path(whole.name), *flags), capsys).refuses(flags[-1])
    os.mkfifo(tmp_path / "pipe")
    piped = ranking(recipe, Path(whole.name), "--predictions", str(tmp_path / "pipe"))
    assert Ended(piped, capsys).refuses("--predictions", str(tmp_path / "pipe"), "is no plain file")
    assert not (tmp_path / "runs").exists()
