"""Whatever befalls a run in the middle, it ends in the bytes of one that was left alone, or names what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.run.befalling import (
    DAMAGES,
    SHAPES,
    content,
    exchange,
    newest,
    replace,
    reseal,
    resumed,
    whole_again,
)

Capture = pytest.CaptureFixture[str]
RECORD = ("weights.safetensors", "meta.json", "manifest.json")
PLACES = {
    "checkpoints": [f"checkpoints/NEWEST/{name}" for name in RECORD],
    "part 0": [f"parts/0/checkpoints/NEWEST/{name}" for name in RECORD],
    "part 1": ["parts/1/checkpoints/NEWEST/state.pt"],
    "leaf": [f"leaves/root/{name}" for name in RECORD],
}
ALONE = {
    "top": ["recipe.yaml", "environment.json", "events.jsonl", "timing.json", "lock"],
    "events": ["parts/0/events.jsonl", "parts/1/events.jsonl"],
}
CANNOT_BE_MADE_AGAIN = ("leaves/", "events.jsonl")
BRIEFLY = ("middle bit", "cut", "removed", "folder")
CASES = [
    *product([place for places in PLACES.values() for place in places], BRIEFLY),
    *product([place for places in ALONE.values() for place in places], DAMAGES),
]


def place(run: Path, name: str) -> Path:
    """The file that is meant; NEWEST stands for a generation."""
    above, newest_one, below = name.partition("/NEWEST/")
    return newest(run / above) / below if newest_one else run / name


def is_refused(name: str, damage: str) -> bool:
    """Whether the run cannot go on: what can be made again is made again, and older checkpoints serve as well."""
    if name == "recipe.yaml":
        return damage != "removed"
    if damage == "folder" and "/" not in name:
        return True  # it is not ours to remove
    if name == "lock":
        return damage == "pipe"
    return any(each in name for each in CANNOT_BE_MADE_AGAIN)


@pytest.mark.parametrize(("name", "damage"), CASES)
def test_a_damaged_file_is_named_or_made_again(
    name: str, damage: str, half: Path, whole: Path, capsys: Capture
) -> None:
    DAMAGES[damage](place(half, name))
    ended = resumed(half, capsys)
    if is_refused(name, damage):
        assert ended.refuses(str(half), name.rpartition("/")[2])
    else:
        assert ended.status == 0, ended.err
        assert whole_again(half, whole)


def test_left_alone_it_ends_in_the_same_bytes(half: Path, whole: Path, capsys: Capture) -> None:
    assert {path.name for path in (half / "parts").iterdir()} == {"0", "1"}
    assert all((half / "parts" / label / "events.jsonl").stat().st_size for label in "01")
    assert resumed(half, capsys).status == 0
    assert whole_again(half, whole)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["environment.json", "timing.json"])
def test_json_of_another_shape_is_made_again(name: str, shape: str, half: Path, whole: Path, capsys: Capture) -> None:
    content(SHAPES[shape])(half / name)
    ended = resumed(half, capsys)
    assert ended.status == 0, ended.err
    assert whole_again(half, whole)
    assert json.loads((half / "timing.json").read_text())["seconds"] >= 0
    assert (half / "environment.json").read_bytes() == (whole / "environment.json").read_bytes()


PAIRS = {
    "parts": ("parts/0", "parts/1"),
    "checkpoints of parts": ("parts/0/checkpoints", "parts/1/checkpoints"),
    "checkpoints of a part and of the run": ("parts/0/checkpoints", "checkpoints"),
    "events of parts": ("parts/0/events.jsonl", "parts/1/events.jsonl"),
    "events of a part and of the run": ("parts/0/events.jsonl", "events.jsonl"),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_exchanged_files_are_never_taken_for_each_other(pair: str, half: Path, capsys: Capture) -> None:
    one, other = PAIRS[pair]
    exchange(half / one, half / other)
    assert resumed(half, capsys).refuses(str(half))


def generations(half: Path) -> Iterator[tuple[Path, Path]]:
    """What lies there and where it does not belong."""
    run, part, finished = (newest(half / name / "checkpoints") for name in (".", "parts/0", "parts/1"))
    before = part.with_name(f"{int(part.name) - 1:06d}")
    yield from [(part, finished), (finished, part), (part, run), (run, part), (before, part), (half / "leaves/0", part)]


@pytest.mark.parametrize("number", range(6))
def test_a_generation_in_a_place_that_is_not_its_own_is_refused(number: int, half: Path, capsys: Capture) -> None:
    one, other = list(generations(half))[number]
    if not one.exists():
        one = half / "leaves" / "root"
    replace(one, other)
    assert resumed(half, capsys).refuses(str(other), "put back")


METAS = {
    "object": "{}", "list": "[]", "NaN": '{"origin": NaN}', "brackets": "[" * 100_000, "text": '"meta"',
}  # fmt: skip


@pytest.mark.parametrize("where", ["checkpoints", "parts/0/checkpoints", "parts/1/checkpoints"])
@pytest.mark.parametrize("meta", METAS)
def test_another_meta_under_a_true_manifest_is_named(
    meta: str, where: str, half: Path, whole: Path, capsys: Capture
) -> None:
    generation = newest(half / where)
    reseal(generation, METAS[meta].encode())
    ended = resumed(half, capsys)
    if ended.status == 0:
        assert f"generation {generation.name} is set aside" in ended.err
        assert whole_again(half, whole)
    else:
        assert ended.refuses(str(half / where))


@pytest.mark.parametrize("where", ["checkpoints", "parts/0/checkpoints"])
@pytest.mark.parametrize("value", [None, 3, -1, "x", [], {}, {"tree": []}])
def test_a_meta_whose_values_are_of_another_shape_is_named(
    value: object, where: str, half: Path, capsys: Capture
) -> None:
    generation = newest(half / where)
    meta = json.loads((generation / "meta.json").read_text())
    for key in meta:
        copied = shutil.copytree(half, half.with_name(f"run {key}"))
        other = newest(copied / where)
        reseal(other, json.dumps({**meta, key: value}).encode())
        ended = resumed(copied, capsys)
        if ended.status == 0:  # null and numbers are what some of them may be; nothing else comes of it
            assert (key, value) in [
                ("seconds", 3),
                ("learner", None),
                ("search", None),
                ("finished", None),
                ("finished", {}),
            ]
        else:
            assert ended.refuses(str(copied / where))
