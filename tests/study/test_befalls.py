"""Whatever befalls the folder of a study, it ends in the rows of one that was left alone, or names what is wrong."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.run.durable import owner_of
from cleave.study import runner
from cleave.study.record.truth import log_file
from cleave.study.runner import is_told, start
from tests.run.befalling import DAMAGES, SHAPES, content, exchange, newest, replace, reseal, resumed
from tests.study.small import log_bytes, recipe_of
from tests.study.test_runner import Killed, Killer

Capture = pytest.CaptureFixture[str]
MANY: dict[str, Any] = {
    "sharing.policy": "groups", "sharing.groups": 2, "tune.epochs": [1], "tune.batches": 1, "checkpoint_seconds": 0,
    "looks.dense": 1,
}  # fmt: skip
BRIEFLY = ("middle bit", "cut", "removed", "pipe")
TRAINED, OTHER, TUNED = (f"parts/instance0-supernet{which}" for which in ("0", "1", "0-tune1"))
FILES = (
    *(f"{part}/done/{name}" for part in (TRAINED, TUNED) for name in ("log.parquet", "cost.json", "manifest.json")),
    f"{TRAINED}/snapshots/1/weights.safetensors", "log.parquet", "ledger.json", "timing.json", "environment.json",
    "supernets.json", "checkpoints/NEWEST/meta.json",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _no_page() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "write_results", lambda *_: {"told": True})
        patched.setattr("cleave.study.telling.metrics_text.print_metrics", lambda _: None)
        yield


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory, _no_page: None) -> Path:
    """A whole study, and one in the middle of its second supernet."""
    base = tmp_path_factory.mktemp("studies")
    start(recipe_of(MANY), base / "whole", Callback())
    with pytest.raises(Killed):
        start(recipe_of(MANY), base / "half", Killer(12))
    return base


@pytest.fixture
def done(studies: Path, tmp_path: Path) -> Path:
    return shutil.copytree(studies / "whole", tmp_path / "run")


@pytest.fixture
def half(studies: Path, tmp_path: Path) -> Path:
    return shutil.copytree(studies / "half", tmp_path / "run")


def place(run: Path, name: str) -> Path:
    above, newest_one, below = name.partition("/NEWEST/")
    return newest(run / above) / below if newest_one else run / name


@pytest.mark.parametrize(("name", "damage"), [*product(FILES, BRIEFLY)])
def test_what_is_damaged_is_made_again(name: str, damage: str, done: Path, studies: Path, capsys: Capture) -> None:
    DAMAGES[damage](place(done, name))
    ended = resumed(done, capsys)
    assert ended.status == 0, ended.err
    assert log_bytes(done) == log_bytes(studies / "whole")
    assert is_told(done)
    if "done/" in name or "snapshots" in name:
        assert "the task is done again" in ended.err
    for each in ("supernets.json", "environment.json"):
        assert (done / each).read_bytes() == (studies / "whole" / each).read_bytes()


def test_the_study_in_the_middle_ends_in_the_same_rows(half: Path, studies: Path, capsys: Capture) -> None:
    assert len(list((half / OTHER / "checkpoints").iterdir())) == 2
    assert resumed(half, capsys).status == 0
    assert log_bytes(half) == log_bytes(studies / "whole")


@pytest.mark.parametrize("damage", BRIEFLY)
@pytest.mark.parametrize("name", ["weights.safetensors", "state.pt", "meta.json", "manifest.json"])
def test_a_damaged_checkpoint_is_set_aside(name: str, damage: str, half: Path, studies: Path, capsys: Capture) -> None:
    DAMAGES[damage](newest(half / OTHER / "checkpoints") / name)
    ended = resumed(half, capsys)
    assert ended.status == 0, ended.err
    assert "set aside" in ended.err
    assert log_bytes(half) == log_bytes(studies / "whole")


PAIRS = [
    (f"{TRAINED}/done", f"{OTHER}/done"), (f"{TRAINED}/done", f"{TUNED}/done"),
    (f"{TRAINED}/snapshots/1", f"{OTHER}/snapshots/1"), (TRAINED, OTHER),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_exchanged_parts_are_named(one: str, other: str, done: Path, capsys: Capture) -> None:
    exchange(done / one, done / other)
    assert resumed(done, capsys).refuses(str(done / one), "put back")


def test_a_checkpoint_of_another_part_is_refused(half: Path, capsys: Capture) -> None:
    generation = newest(half / OTHER / "checkpoints")
    replace(newest(half / "checkpoints"), generation)
    assert owner_of(generation)["part"] == "the whole"
    assert resumed(half, capsys).refuses(str(generation), "put back")


def test_an_edited_recipe_is_refused_with_the_keys_that_differ(half: Path, studies: Path, capsys: Capture) -> None:
    recipe = half / "study.yaml"
    recipe.write_text(recipe.read_text().replace("learning_rate: 0.025", "learning_rate: 0.5"))
    assert resumed(half, capsys).refuses(str(recipe), "training.learning_rate is 0.5, but")
    recipe.unlink()
    assert resumed(half, capsys, "--device", "cpu").status == 0
    assert log_bytes(half) == log_bytes(studies / "whole")


def test_an_altered_log_is_not_told_as_true(done: Path) -> None:
    assert log_file(done) == done / "log.parquet"
    DAMAGES["middle bit"](done / "log.parquet")
    assert not is_told(done)
    with pytest.raises(UserError, match=r"log\.parquet: is not as it was written.*cleave resume"):
        log_file(done)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["supernets.json", "environment.json", "timing.json"])
def test_json_of_another_shape_is_made_again(name: str, shape: str, done: Path, studies: Path, capsys: Capture) -> None:
    content(SHAPES[shape])(done / name)
    assert resumed(done, capsys).status == 0
    assert log_bytes(done) == log_bytes(studies / "whole")
    assert isinstance(json.loads((done / name).read_bytes()), dict)


@pytest.mark.parametrize("value", [None, -1, "x", []])
def test_a_meta_of_another_shape_is_named(value: object, half: Path, capsys: Capture) -> None:
    where = half / OTHER / "checkpoints"
    generation = newest(where)
    meta = json.loads((generation / "meta.json").read_text())
    for key in meta:
        reseal(generation, json.dumps({**meta, key: value}).encode())
        assert resumed(half, capsys).refuses(str(where), key)


@pytest.mark.parametrize("left", [["lock"], ["lock", "checkpoints"]])
def test_what_a_kill_left_before_anything_was_begun_counts_as_empty(left: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in left:
        (tmp_path / "run" / name).mkdir() if name == "checkpoints" else (tmp_path / "run" / name).touch()
    with pytest.raises(Killed):
        start(recipe_of(MANY), tmp_path / "run", Killer(1))


def test_a_kill_before_the_files_for_people_leaves_a_study_that_can_be_gone_on_with(
    studies: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("cleave.run.origin.write_bytes", lambda *_: os.stat(tmp_path / "killed"))
        with pytest.raises(FileNotFoundError):
            start(recipe_of(MANY), tmp_path / "run", Callback())
    assert sorted(os.listdir(tmp_path / "run")) == ["checkpoints", "lock"]
    assert resumed(tmp_path / "run", capsys).status == 0
    assert log_bytes(tmp_path / "run") == log_bytes(studies / "whole")
