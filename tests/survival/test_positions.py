"""Killed at any position and gone on with: searches of every space, trainings, evolutions, whole designs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cleave.evolve import part
from tests.design.still import stand_still, write_folder
from tests.design.test_runner import timeless
from tests.evolve.small import plain
from tests.retrain.killing import outcome
from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.runs import ONE, TINY
from tests.tiny import RSPS, leaves, sets

CHAIN = Path(__file__).parents[2] / "docs" / "examples" / "chain.py"
POSITIONS = 6
SPACES: dict[str, dict[str, Any]] = {
    "nasbench201": {"method.name": "darts2", "split.splitter": "gradient"},
    "darts": {
        "space.name": "darts", "space.cells": 3, "space.ops": "[skip_connect, sep_conv_3x3]",
        "space.split_cells": "normal", **RSPS,
    },
    "mobilenet-proxyless": {
        "space.name": "mobilenet-proxyless", "space.ops": "[3x3_e3, 5x5_e3, zero]", "space.width": 0.25,
        "method.name": "proxyless", "method.architecture_every": 1, "split.splitter": "random",
    },
    "mobilenet-ofa": {
        "space.name": "mobilenet-ofa", "space.width": 0.25, "space.kernels": "[3, 5]", "space.expansions": "[3, 4]",
        "space.depths": "[1, 2]", "method.name": "shrinking", "method.samples": 2, "split.warmup_epochs": 1,
        "search.epochs": 6, "split.splitter": "random", "trust.control": 0, "trust.panel": 0,
    },
    "a space of one's own": {"space.name": f"{CHAIN}:Chain", **RSPS},
}  # fmt: skip
"""With methods that have most to keep."""


@dataclass(frozen=True)
class Kind:
    """A command that leaves something in a folder, how it is gone on with, and what is to come of it.

    `prepare` is called in its process before it begins.
    """

    words: Callable[[Path, Path], list[str]]
    go_on: Callable[[Path, list[str]], list[str]]
    outcome: Callable[[Path], object]
    prepare: Callable[[], None] | None = None


def resume(run: Path, words: list[str]) -> list[str]:
    return ["resume", str(run), "--json", *(ONE if words[0] == "search" else ())]


def again(run: Path, words: list[str]) -> list[str]:
    return words


def searching(changes: Mapping[str, Any]) -> Callable[[Path, Path], list[str]]:
    sizes = {key: value for key, value in TINY.items() if "space.name" not in changes or "space." not in key}
    narrow = {} if "mobilenet" in str(changes.get("space.name")) else {"space.channels": 2}

    def words(base: Path, out: Path) -> list[str]:
        keys = sets({**sizes, **narrow, **changes})
        return ["search", "--data", str(base / "images"), "--out", str(out), "--json", *keys, *ONE]

    return words


def found_by_search(run: Path) -> object:
    files = ("result.json", "events.jsonl", "tree.json")
    return [(run / name).read_bytes() for name in files], leaves(run)


def training(base: Path, out: Path) -> list[str]:
    keys = ["training.epochs=3", "training.batch_size=6", "training.ema=.9", "training.mixup=.2", "training.cutout=2"]
    keys += ["checkpoint_seconds=0", "threads=1"]
    return ["train", str(base / "whole-0"), *keys, "--from", "supernet", "--out", str(out), "--json"]


def evolution(base: Path, out: Path) -> list[str]:
    few = ["--population", "8", "--generations", "3", "--check", "5", "--threads", "1"]
    return ["evolve", str(base / "whole-0"), *few, "--out", str(out / "evolved.json"), "--json"]


def always_saved() -> None:
    part.SECONDS = 0.0


def design(base: Path, out: Path) -> list[str]:
    small = ["--set", "width=0.25", "--threads", "1", "--time", "100s", "--init", "new"]
    return ["design", "--data", str(base / "parts"), *small, "--out", str(out), "--json"]


def still() -> None:
    """Its clock stands still for good: the process ends with it."""
    stand_still(pytest.MonkeyPatch())


KINDS = {
    **{name: Kind(searching(changes), resume, found_by_search) for name, changes in SPACES.items()},
    "a training": Kind(training, resume, outcome),
    "an evolution": Kind(
        evolution, again, lambda out: plain(json.loads((out / "evolved.json").read_text())), always_saved
    ),
    "a design": Kind(
        design,
        resume,
        lambda run: timeless({"run": "", "page": "", "seconds": 0, **json.loads((run / "result.json").read_text())}),
        still,
    ),
}


@dataclass(frozen=True)
class Known:
    """What a kind comes to where nothing befalls it, and the operations that it takes."""

    outcome: object
    operations: int


@pytest.fixture(scope="session")
def known(wholes: Wholes) -> Callable[[str], Known]:
    """By kind, found out when it is first asked for."""
    base, found = wholes.images.parent, dict[str, Known]()
    write_folder(base / "parts", {"train": 20, "test": 8})

    def whole(name: str) -> Known:
        if name not in found:
            kind, out = KINDS[name], base / name.replace(" ", "-")
            out.mkdir()
            life = Life(kind.words(base, out), base, inside=out, prepare=kind.prepare).ended()
            assert life.status == 0, life.err
            found[name] = Known(kind.outcome(out), life.hits["operation"])
        return found[name]

    return whole


@pytest.mark.parametrize(("name", "position"), [*product(KINDS, range(POSITIONS))])
def test_whatever_is_killed_anywhere_ends_as_if_it_had_not_been(
    name: str, position: int, known: Callable[[str], Known], wholes: Wholes, tmp_path: Path
) -> None:
    kind, out, base, whole = KINDS[name], tmp_path / "out", wholes.images.parent, known(name)
    out.mkdir()
    words = kind.words(base, out)
    at = 1 + (2 * position + 1) * whole.operations // (2 * POSITIONS)
    killed = Life(words, tmp_path, {"operation": at, "does": "killed"}, out, prepare=kind.prepare).ended()
    assert killed.status == -9, killed.err
    ended = Life(kind.go_on(out, words), tmp_path, prepare=kind.prepare).ended()
    if ended.status == 2 and "nothing was begun" in ended.err:
        ended = Life(words, tmp_path, prepare=kind.prepare).ended()
    assert ended.status == 0, ended.err
    assert kind.outcome(out) == whole.outcome
