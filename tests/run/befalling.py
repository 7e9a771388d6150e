"""What befalls a run folder: a tiny search half done and whole, copied and spoilt, and whether that is told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cleave.config import load_recipe
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.resolve import resolve
from cleave.run import durable
from cleave.run.folder import create, make_folder
from cleave.run.generations import META
from cleave.run.lock import RunLock
from cleave.search.loop import Search
from cleave.search.perform import perform
from cleave.search.problem import open_problem
from cleave.search.runner import environment, start
from cleave.search.task import Task, TaskResult
from cleave.settings import Recipe
from cleave.space import find_space
from tests.tiny import EVERY_STEP, HERE, RSPS, SIZES, Ended, same

Damage = Callable[[Path], object]
TINY = {**SIZES, **RSPS, **EVERY_STEP, "split.splits": 1, "search.epochs": 2, "trust.control": 1, "trust.panel": 2}


class Killed(Exception):
    """The process is gone; nothing that a search does may catch this."""


def write_images(folder: Path) -> Path:
    """The same random images whenever they are asked for."""
    random = np.random.default_rng(3)
    for label, number in product(range(2), range(18)):
        path = folder / f"class{label}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return folder


def recipe_of(images: Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    merged = {**TINY, **(changes or {}), "data.name": images}
    return load_recipe(None, [f"{key}={value}" for key, value in merged.items()], {})


def whole_run(images: Path, out: Path, callback: Callback | None = None) -> Path:
    start(recipe_of(images), out, callback or Callback())
    return out


class LastFirst:
    """Does of the parts that were begun the last one first, so that leaf 1 is finished and waits for leaf 0."""

    def __init__(self, search: Search) -> None:
        self.search, self.parts = search, list[Task]()

    @property
    def has_room(self) -> bool:
        return len(self.parts) < 2

    def begin(self, part: Task) -> None:
        self.parts.append(part)

    def finished(self) -> tuple[Task, TaskResult]:
        part, search = self.parts.pop(), self.search
        return part, perform(search.problem, part, search.folder, Stop(), search.overview.of(part.label))


class KillerInLeaf(Callback):
    """Kills the run in the last epoch of a leaf, after its first event."""

    def __init__(self, leaf: str) -> None:
        self.leaf, self.seen = leaf, 0

    def see(self, moment: Progress) -> None:
        self.seen += moment.leaf == self.leaf and moment.doing == "search"
        if self.seen == 5:
            raise Killed


def half_run(images: Path, out: Path) -> Path:
    """The root is merged; leaf 1 is finished and not merged, leaf 0 under way, with several checkpoints."""
    recipe = recipe_of(images)
    problem = open_problem(resolve(recipe, find_space(recipe.space))[0])
    make_folder(out)
    with RunLock(out):
        search = Search(problem, create(out, problem.recipe, environment(problem)), Stop(), KillerInLeaf("0"))
        with pytest.raises(Killed):
            search.run(LastFirst(search))
    return out


def resumed(run: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Ended:
    return Ended(["resume", str(run), *HERE, "--json", *words], capsys)


def whole_again(run: Path, whole: Path) -> bool:
    """Whether a run is finished and found what the whole one did, its weights included, to the byte."""
    return same(run, whole) and weights(run) == weights(whole)


def weights(run: Path) -> dict[str, bytes]:
    return {str(file.relative_to(run)): file.read_bytes() for file in sorted((run / "leaves").glob("*/weights.*"))}


def newest(generations: Path) -> Path:
    return max(path for path in generations.iterdir() if path.name.isdecimal())


def flip(share: float) -> Damage:
    """Flips a bit, so far into the file."""

    def damage(file: Path) -> None:
        data = bytearray(file.read_bytes())
        data[int(share * (len(data) - 1))] ^= 1
        file.write_bytes(data)

    return damage


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def zero(file: Path) -> None:
    """The middle third of the file is zeros."""
    data = bytearray(file.read_bytes())
    third = max(1, len(data) // 3)
    data[third : 2 * third] = bytes(len(data[third : 2 * third]))
    file.write_bytes(data)


def remove(file: Path) -> None:
    file.unlink()


def pipe(file: Path) -> None:
    """A named pipe: whoever opens it would wait for somebody at the other end."""
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Damage] = {
    "first bit": flip(0), "middle bit": flip(0.5), "last bit": flip(1), "cut": cut, "empty": empty, "zeros": zero,
    "removed": remove, "pipe": pipe, "folder": folder,
}  # fmt: skip

SHAPES = {
    "object": b"{}", "list": b"[]", "null": b"null", "NaN": b'{"seconds": NaN}', "1e999": b'{"seconds": 1e999}',
    "brackets": b"[" * 100_000, "text": b'"text"', "bytes": b"\xff\xfe", "digits": b'{"seconds": ' + b"9" * 5000 + b"}",
    "negative": b'{"seconds": -1}', "words": b'{"seconds": "long"}',
}  # fmt: skip
"""What a JSON file may hold that is not what cleave writes."""


def content(data: bytes) -> Damage:
    return lambda file: file.write_bytes(data)


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def replace(one: Path, other: Path) -> None:
    """Puts a copy of one folder where the other was."""
    shutil.rmtree(other)
    shutil.copytree(one, other)


def reseal(generation: Path, meta: bytes) -> None:
    """Another meta.json under a true manifest."""
    contents = durable.read_folder(generation)
    durable.write_folder(generation, {**contents, META: meta}, durable.owner_of(generation))
