"""Every file of a run cut, flipped, zeroed, exchanged: found out, or the run ends in the bytes of one left alone.

What is found out is named in one line; once what was there is put back, the run goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from tests.retrain.killing import outcome
from tests.run.befalling import half_run, weights, whole_run, write_images
from tests.survival.living import Life
from tests.survival.runs import ONE, told_in_one_line
from tests.tiny import same

Damage = Callable[[bytes, bytes], bytes]
RECORD = ("weights.safetensors", "state.pt", "meta.json", "manifest.json")
TOP = ("recipe.yaml", "environment.json", "events.jsonl", "timing.json", "lock")
OUTCOME = ("images.json", "tree.json", "result.json")
TRAINED = ("train.yaml", "environment.json", "events.jsonl", "timing.json", "lock", "images.json")


def records(*folders: str) -> list[str]:
    return [f"{folder}/{name}" for folder, name in product(folders, RECORD)]


def both(*folders: str) -> list[str]:
    """Of two generations, by their age."""
    return records(*(f"{folder}/{age}" for folder, age in product(folders, ("OLDER", "NEWEST"))))


HALF_TASKS = ["parts/0", "parts/1"]
FILES: dict[str, list[str]] = {
    "half a search": [
        *TOP, *both("checkpoints", *(f"{task}/checkpoints" for task in HALF_TASKS)),
        *records("leaves/root", "leaves/1"),
        *(f"{task}/{name}" for task, name in product(HALF_TASKS, ("events.jsonl", "lock"))),
    ],
    "a search": [*TOP, *OUTCOME, *both("checkpoints"), *records("leaves/root", "leaves/0", "leaves/1")],
    "half a training": [*TRAINED, *both("checkpoints"), *records("leaves/seen")],
    "a training": [*TRAINED, "result.json", *both("checkpoints"), *records("leaves/network", "leaves/seen")],
}  # fmt: skip
"""All that lies in a run: a test holds them complete."""


def cut(share: float, more: int, data: bytes, other: bytes) -> bytes:
    return data[: max(0, int(share * len(data)) + more)]


def flipped(share: float, data: bytes, other: bytes) -> bytes:
    place = int(share * (len(data) - 1))
    return data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :] if data else b"\x01"


def zeroed(share: float, data: bytes, other: bytes) -> bytes:
    """An eighth of it, a block of the disk at most."""
    start, length = int(share * len(data)), min(4096, 1 + len(data) // 8)
    return data[:start] + bytes(len(data[start : start + length])) + data[start + length :]


DAMAGES: dict[str, Damage] = {
    "empty": partial(cut, 0, 0), "one byte": partial(cut, 0, 1), "a quarter": partial(cut, 0.25, 0),
    "half": partial(cut, 0.5, 0), "three quarters": partial(cut, 0.75, 0), "all but a byte": partial(cut, 1, -1),
    **{f"a bit at {place}/8": partial(flipped, place / 8) for place in range(9)},
    **{f"zeros at {place}/5": partial(zeroed, place / 5) for place in range(5)},
    "a byte more": lambda data, other: data + b"\n", "of another place": lambda data, other: other,
}  # fmt: skip
CASES = [(kind, name, damage) for kind, names in FILES.items() for name, damage in product(names, DAMAGES)]


@dataclass(frozen=True)
class Befallen:
    """Runs of each kind to be copied and spoilt, and what each has to come to."""

    base: Path

    def run(self, kind: str) -> Path:
        return self.base / kind.replace(" ", "-")

    def is_whole(self, kind: str, run: Path) -> bool:
        if kind.endswith("search"):
            whole = self.run("a search")
            return same(run, whole) and weights(run) == weights(whole)
        return outcome(run) == outcome(self.run("a training"))


def training(source: Path, out: Path) -> list[str]:
    keys = ["training.epochs=3", "training.batch_size=6", "training.ema=.9", "training.mixup=.2"]
    keys += ["checkpoint_seconds=0", "threads=1"]
    return ["train", str(source), *keys, "--from", "supernet", "--out", str(out), "--json"]


@pytest.fixture(scope="session")
def befallen(tmp_path_factory: pytest.TempPathFactory) -> Befallen:
    found = Befallen(tmp_path_factory.mktemp("damage"))
    images = write_images(found.base / "images")
    search = whole_run(images, found.run("a search"))
    half_run(images, found.run("half a search"))
    life = Life(training(search, whole := found.run("a training")), found.base, inside=whole).ended()
    assert life.status == 0, life.err
    half = found.run("half a training")
    mishap = {"operation": life.hits["operation"] // 2, "does": "killed"}
    assert Life(training(search, half), found.base, mishap, half).ended().status == -9
    return found


def place(run: Path, name: str) -> Path:
    """The file that is meant; an age stands for a generation."""
    for number, age in enumerate(("OLDER", "NEWEST")):
        above, found, below = name.partition(f"/{age}/")
        if found:
            return sorted(each for each in (run / above).iterdir() if each.name.isdecimal())[number] / below
    return run / name


def other_like(run: Path, file: Path) -> bytes:
    """Another file of that name in the run, or else another file beside it."""
    likes = [each for each in sorted(run.rglob(file.name)) if each != file]
    besides = [each for each in sorted(file.parent.iterdir()) if each.is_file() and each != file]
    return [*likes, *besides][0].read_bytes()


@pytest.mark.parametrize("kind", FILES)
def test_all_files_are_listed(kind: str, befallen: Befallen) -> None:
    run = befallen.run(kind)
    assert {place(run, name) for name in FILES[kind]} == {file for file in run.rglob("*") if file.is_file()}


@pytest.mark.parametrize(("kind", "name", "damage"), CASES)
def test_damage_is_found_out_or_does_no_harm(
    kind: str, name: str, damage: str, befallen: Befallen, tmp_path: Path
) -> None:
    run = shutil.copytree(befallen.run(kind), tmp_path / "run")
    file = place(run, name)
    before = file.read_bytes()
    file.write_bytes(DAMAGES[damage](before, other_like(run, file)))
    words = ["resume", str(run), "--json", *(ONE if kind.endswith("search") else ())]
    life = Life(words, tmp_path).ended()
    if life.status != 0:
        assert str(run) in told_in_one_line(life)
        assert place(run, name) == file, "it was moved"
        file.write_bytes(before)
        life = Life(words, tmp_path).ended()
    assert life.status == 0, life.err
    assert befallen.is_whole(kind, run)
