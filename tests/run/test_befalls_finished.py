"""A finished run is told as it was written, made again where it can be, and else what is wrong with it is named."""

from __future__ import annotations

import json
import re
import shutil
from itertools import product
from pathlib import Path

import pytest

from cleave.engine.progress import Callback
from cleave.run.origin import newest_meta
from cleave.search.runner import resume
from tests.run.befalling import (
    DAMAGES,
    SHAPES,
    content,
    exchange,
    newest,
    remove,
    resumed,
    weights,
    whole_again,
    whole_run,
)
from tests.tiny import Ended

Capture = pytest.CaptureFixture[str]
MADE_AGAIN = ("result.json", "tree.json", "timing.json", "environment.json")
LOST = ("events.jsonl", "leaves/0/weights.safetensors", "leaves/root/manifest.json", "recipe.yaml")
BRIEFLY = ("middle bit", "cut", "removed", "pipe")


def shown(run: Path, capsys: Capture) -> Ended:
    return Ended(["show", str(run), "--json"], capsys)


@pytest.mark.parametrize(("name", "damage"), [*product(MADE_AGAIN, BRIEFLY)])
def test_what_can_be_made_again_is_made_again_with_a_word(
    name: str, damage: str, done: Path, whole: Path, capsys: Capture
) -> None:
    DAMAGES[damage](done / name)
    ended = resumed(done, capsys)
    assert ended.status == 0, ended.err
    if name != "result.json" or damage != "removed":  # without a result it is one that is gone on with
        assert f"{done / name}: is not as it was written" in ended.err
    assert whole_again(done, whole)
    assert json.loads(ended.out)["chosen"] == json.loads((whole / "result.json").read_text())["chosen"]
    again = resumed(done, capsys)
    assert again.status == 0
    assert "made again" not in again.err
    assert shown(done, capsys).status == 0


@pytest.mark.parametrize(("name", "damage"), [*product(LOST, BRIEFLY)])
def test_what_cannot_be_made_again_is_named(name: str, damage: str, done: Path, capsys: Capture) -> None:
    DAMAGES[damage](done / name)
    ended = resumed(done, capsys)
    if (name, damage) == ("recipe.yaml", "removed"):
        assert ended.status == 0, ended.err
        assert "channels: 2" in (done / name).read_text()
    else:
        assert ended.refuses(str(done / name))
    assert shown(done, capsys).status == 0  # the outcome is as it was


def test_leaves_that_are_gone_are_named(done: Path, capsys: Capture) -> None:
    shutil.rmtree(done / "leaves")
    assert resumed(done, capsys).refuses(str(done / "leaves"), "cannot be made again")


def test_leaves_that_are_exchanged_are_named(done: Path, capsys: Capture) -> None:
    exchange(done / "leaves" / "0", done / "leaves" / "1")
    assert resumed(done, capsys).refuses(str(done / "leaves" / "0"), "another record")


def test_an_outcome_edited_to_99_percent_is_not_told_as_true(done: Path, whole: Path, capsys: Capture) -> None:
    result = done / "result.json"
    text = re.sub(r'"valid_accuracy": [\d.]+', '"valid_accuracy": 99.0', result.read_text())
    result.write_text(text)
    assert json.loads(text)["chosen"]["valid_accuracy"] == 99
    assert shown(done, capsys).refuses(str(result), "not as it was written", f"cleave resume {done}")
    assert Ended(["rank", str(done)], capsys).refuses(str(result), "not as it was written")
    assert "99.0" in result.read_text()
    assert resumed(done, capsys).status == 0
    assert whole_again(done, whole)


@pytest.mark.parametrize(("name", "shape"), [*product(("result.json", "timing.json"), SHAPES)])
def test_json_of_another_shape_is_named_and_made_again(
    name: str, shape: str, done: Path, whole: Path, capsys: Capture
) -> None:
    content(SHAPES[shape])(done / name)
    assert shown(done, capsys).refuses(str(done / name), "cleave resume")
    assert resumed(done, capsys).status == 0
    assert whole_again(done, whole)


def test_an_outcome_without_a_checkpoint_that_vouches_for_it_is_made_again(
    done: Path, whole: Path, capsys: Capture
) -> None:
    remove(newest(done / "checkpoints") / "manifest.json")
    assert newest_meta(done)["finished"] is None
    assert shown(done, capsys).refuses(str(done / "result.json"))
    assert resumed(done, capsys).status == 0
    assert whole_again(done, whole)


def test_an_outcome_that_comes_out_differently_is_never_exchanged_for_the_first(
    done: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(done / "result.json")
    monkeypatch.setattr("cleave.search.loop.outcome", lambda *_: {"chosen": "another"})
    assert resumed(done, capsys).refuses(str(done / "result.json"), "cannot be made again as it was")
    assert not (done / "result.json").exists()


def test_a_finished_run_on_a_disk_that_takes_nothing_is_told(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleave.run.lock.RunLock.__enter__", lambda self: pytest.fail("wrote a lock"))
    assert resume(done, Callback())["chosen"]


@pytest.mark.parametrize("event", ["{}", "[]", '{"kind": 3}', '{"kind": "split"}', '{"kind": "epoch", "leaf": "0"}'])
@pytest.mark.parametrize("name", ["events.jsonl", "parts/0/events.jsonl"])
def test_an_event_of_another_shape_is_named_where_a_run_is_shown(
    name: str, event: str, half: Path, capsys: Capture
) -> None:
    (half / name).write_text(f"{event}\n")
    assert shown(half, capsys).refuses(str(half / name))


def test_the_same_run_found_twice_is_the_same(whole: Path, befalling: Path, tmp_path: Path) -> None:
    again = whole_run(befalling / "images", tmp_path / "again")
    assert whole_again(again, whole)
    assert weights(again)
