"""The folder that holds everything a run learns.

recipe.yaml       what was asked for, with nothing left open
environment.json  versions, hardware, fingerprint of the images
images.json       which images are used: the classes, how many of each, what is left out and why
events.jsonl      one line per epoch, split and leaf; the same seed gives the same bytes
tree.json         the split tree with all similarity matrices
checkpoints/      the last two generations of what is known; what `cleave resume` goes on from
parts/LABEL/      each node or architecture under way, with checkpoints and events of its own
leaves/LABEL/     the weights of every finished node
result.json       the outcome; the same seed gives the same bytes
timing.json       the seconds it took, all sessions together
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import yaml

from cleave.errors import UserError
from cleave.run.durable import saving, write_bytes, write_json
from cleave.run.events import Events
from cleave.run.generations import Damaged, Generations, Record, read_record, write_record
from cleave.run.lock import LOCK
from cleave.settings import Recipe


class RunFiles:
    """What every process that works on a run may use at the same time as others."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def identity(self) -> str:
        """What distinguishes this run from others: the SHA-256 of its recipe and environment."""
        files = [self.path / name for name in ("recipe.yaml", "environment.json")]
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    def keep_leaf(self, label: str, record: Record) -> str:
        """Puts a finished node's state aside; returns its identity."""
        with saving(self.path):
            (self.path / "leaves").mkdir(exist_ok=True)
        return write_record(self.path / "leaves" / label, record)

    def leaf(self, label: str, identity: str) -> Record:
        """A finished node's state; UserError where it is not what was put aside."""
        try:
            return read_record(self.path / "leaves" / label, identity)
        except Damaged as error:
            raise UserError(f"{error}; it cannot be gone on from: start the run again in a new folder") from error


class RunFolder(RunFiles):
    """A run's files, by what they mean. Use within a RunLock."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.events = Events(path / "events.jsonl")
        self.generations = Generations(path / "checkpoints")
        self.seconds_before = read_json(path / "timing.json")["seconds"] if (path / "timing.json").exists() else 0.0
        self.opened_at = time.monotonic()

    @property
    def seconds(self) -> float:
        """Wall time in all sessions, up to now."""
        return self.seconds_before + time.monotonic() - self.opened_at

    def write_result(self, result: dict[str, Any]) -> None:
        write_json(self.path / "result.json", result)

    def write_tree(self, tree: list[dict[str, Any]]) -> None:
        write_json(self.path / "tree.json", tree)

    def write_seconds(self) -> None:
        write_json(self.path / "timing.json", {"seconds": round(self.seconds, 3)})


def free_folder(name: str) -> Path:
    """A folder of that name under runs/ that is not there yet, numbered where it has to be."""
    path, number = Path("runs") / name, 1
    while path.exists():
        number += 1
        path = Path("runs") / f"{name}-{number}"
    return path


def make_folder(path: Path) -> None:
    """Makes a folder for a new run, or takes one that is there; UserError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be made ({error.strerror}); give --out another folder") from error


def create(path: Path, recipe: Recipe, environment: dict[str, Any]) -> None:
    """Puts a new run into an empty folder; UserError where there is something already. Use within a RunLock."""
    if any(file.name != LOCK for file in path.iterdir()):
        raise UserError(f"{path}: is not empty; nothing is overwritten, so give --out a new folder")
    write_json(path / "environment.json", environment)
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
    write_bytes(path / "recipe.yaml", text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the run; UserError where it is damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: is not a JSON object; it was altered")
    return value


def check_run(path: Path) -> None:
    """UserError unless the folder holds a run."""
    if not (path / "recipe.yaml").is_file():
        raise UserError(f"{path}: holds no run (no recipe.yaml); give the folder that `cleave search` named")
