"""What a run was begun as. It is in every checkpoint of the run's folder, and never changes.

The files at the top of the folder that say the same are for people, and can be made again from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from cleave.errors import UserError, shown
from cleave.run.durable import clear_unfinished, json_bytes, saving, write_bytes
from cleave.run.generations import Generations, Record, last_number, newest_meta_of
from cleave.run.lock import LOCK
from cleave.run.reading import Damaged, Shape, is_there, names_in, read_file, shaped
from cleave.yaml_text import parse, written

CHECKPOINTS, ENVIRONMENT = "checkpoints", "environment.json"
SEARCH, TRIALS, STUDY, TRAIN, DESIGN = "search", "trials", "study", "train", "design"
RECIPES = {
    SEARCH: "recipe.yaml",
    TRIALS: "recipe.yaml",
    STUDY: "study.yaml",
    TRAIN: "train.yaml",
    DESIGN: "design.yaml",
}
"""By kind of run, where its recipe is."""
WHOLE = {"part": "the whole"}
"""What checkpoints at the top of a folder are of."""
COMMANDS = {
    SEARCH: "cleave search",
    TRIALS: "cleave reproduce",
    STUDY: "cleave study",
    TRAIN: "cleave train",
    DESIGN: "cleave design",
}
MOST_RECIPE = 2**20
"""Bytes; no recipe that cleave writes comes near."""
NAMED = 3
"""Of several keys that differ, how many are named."""


class OriginShape(Shape):
    kind: Literal["search", "trials", "study", "train", "design"]
    recipe: dict[str, Any]
    environment: dict[str, Any]
    more: dict[str, dict[str, Any]]


class Begun(Shape):
    """meta.json of a checkpoint at the top of a run's folder.

    `finished`: the SHA-256 of what a finished run leaves for people, by file.
    """

    origin: OriginShape
    finished: dict[str, str] | None = None


@dataclass(frozen=True)
class Origin:
    """The kind of run, its recipe and environment as JSON, and the content of `more` files by name."""

    kind: str
    recipe: Mapping[str, Any]
    environment: Mapping[str, Any]
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What distinguishes this run from others."""
        return hashlib.sha256(json_bytes(self.to_json())).hexdigest()

    @property
    def owner(self) -> dict[str, str]:
        """Of the checkpoints at the top of its folder."""
        return {"run": self.identity, **WHOLE}

    def to_json(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def files(self) -> dict[str, bytes]:
        """What lies at the top of the folder, by name."""
        recipe = written(dict(self.recipe)).encode()
        others = {ENVIRONMENT: self.environment, **self.more}
        return {**{name: json_bytes(dict(value)) for name, value in others.items()}, RECIPES[self.kind]: recipe}


def begin(path: Path, origin: Origin, rest: Mapping[str, Any] | None = None) -> None:
    """Puts a new run into a folder where nothing was begun; UserError where something was. Use within a RunLock.

    `rest` is what its first checkpoint holds beside the origin. There are two: one flipped bit must not end the run.
    """
    if not is_free(path):
        raise UserError(f"{path}: is not empty; nothing is overwritten, so give --out a new folder")
    with saving(path):
        clear_unfinished(path)
    checkpoints = Generations(path / CHECKPOINTS, origin.owner)
    for _ in range(2):
        checkpoints.commit(Record({}, {}, {"origin": origin.to_json(), **(rest or {})}))
    for name, data in origin.files().items():
        write_bytes(path / name, data)


def is_free(path: Path) -> bool:
    """Whether nothing was begun in a folder: it may hold what a kill left before there was a checkpoint."""
    left = [name for name in names_in(path) if name not in (LOCK, CHECKPOINTS) and not is_unfinished(name)]
    return not left and all(map(is_unfinished, names_in(path / CHECKPOINTS)))


def is_unfinished(name: str) -> bool:
    """Whether something of that name is just written, or a kill left it so."""
    return name.startswith(".") and name.endswith(".tmp")


def holds(path: Path, kind: str) -> bool:
    """Whether a folder holds a run of that kind; UserError where it cannot be told."""
    if any(is_there(path / name) for name in RECIPES.values()):
        return is_there(path / RECIPES[kind])
    if last_number(path / CHECKPOINTS) == 0:
        return False
    told: str = newest_meta(path)["origin"]["kind"]
    return told == kind


def check_begun(path: Path, kind: str) -> None:
    """UserError unless a folder holds a run of that kind."""
    if not holds(path, kind):
        what, command = "study" if kind == "study" else "run", COMMANDS[kind]
        if is_there(path / LOCK) and is_free(path):
            raise UserError(f"{path}: nothing was begun in it: start with {command} --out {path}")
        raise UserError(f"{path}: holds no {what} (no {RECIPES[kind]}); give the folder that `{command}` named")


def newest_meta(path: Path) -> dict[str, Any]:
    """What the newest whole checkpoint of a run says; nothing is touched. UserError where there is none."""
    folder = path / CHECKPOINTS
    if last_number(folder) == 0:
        raise UserError(f"{path}: holds no checkpoint of this version of cleave: start again in a new folder")
    return shaped(folder, Begun, newest_meta_of(folder, WHOLE))


def read_origin(path: Path, kind: str) -> Origin:
    """What a run of that kind was begun as; UserError where none was or its checkpoints do not tell."""
    check_begun(path, kind)
    origin = Origin(**newest_meta(path)["origin"])
    if origin.kind != kind:
        raise UserError(f"{path}: holds a run of `{COMMANDS[origin.kind]}`; give it to that command")
    return origin


def settle(path: Path, origin: Origin, say: Callable[[str], None]) -> None:
    """Holds the files at the top of a folder to its origin; UserError where the recipe is another one.

    What else is not as it was written, or gone, is made again, with a word.
    """
    check_recipe(path, origin)
    for name, data in origin.files().items():
        if not is_as_written(path / name, data):
            say(f"{path / name}: is not as it was written; it is made again")
            write_bytes(path / name, data)


def check_recipe(path: Path, origin: Origin) -> None:
    """UserError with the keys by which the recipe in a folder differs from the one that the run was begun with."""
    file = path / RECIPES[origin.kind]
    if not is_there(file):
        return
    odd = list(differences(origin.recipe, read_mapping(file)))
    if not odd:
        return  # written in another way
    more = f" and {len(odd) - NAMED} more" if len(odd) > NAMED else ""
    device = "; another device is given by --device" if any(each.startswith("device ") for each in odd) else ""
    raise UserError(
        f"{file}: {', '.join(odd[:NAMED])}{more} in {path / CHECKPOINTS}: it was edited, or the checkpoints are of "
        f"another run; put it back, or remove it and `cleave resume` writes it as it was{device}"
    )


def read_mapping(file: Path) -> dict[str, Any]:
    """What a recipe in a run folder says; Damaged where that is not as cleave writes it."""
    data = read_file(file, MOST_RECIPE)
    try:
        told = parse(data.decode())
    except ValueError as error:
        raise Damaged(
            f"{file}: is not YAML; put it back, or remove it and `cleave resume` writes it as it was"
        ) from error
    return told if isinstance(told, dict) else {}


def is_as_written(file: Path, data: bytes) -> bool:
    """Whether a file holds these bytes; UserError where the system refuses it."""
    try:
        return read_file(file) == data
    except Damaged:
        return False


def differences(before: Mapping[str, Any], now: Mapping[str, Any], section: str = "") -> Iterator[str]:
    """For each dotted key by which `now` differs, what it says and what it said: "seed is 1, but 0"."""
    for key in dict.fromkeys([*before, *now]):
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from differences(one, other, f"{section}{key}.")
        elif key not in now:
            yield f"{section}{key} is missing, but {shown(one)}"
        elif key not in before:
            yield f"{section}{key} is {shown(other)}, but not there"
        elif one != other or isinstance(one, bool) != isinstance(other, bool):
            yield f"{section}{key} is {shown(other)}, but {shown(one)}"
