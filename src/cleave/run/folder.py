"""The folder that holds everything a run learns.

recipe.yaml       what was asked for, with nothing left open
environment.json  versions, hardware, fingerprint of the images
images.json       which images are used: the classes, how many of each, what is left out and why
events.jsonl      one line per epoch, split and leaf; the same seed gives the same bytes
tree.json         the split tree with all similarity matrices, once a search ends or is interrupted
checkpoints/      the last two generations of what is known; what `cleave resume` goes on from
parts/LABEL/      each node or architecture under way, with checkpoints and events of its own
leaves/LABEL/     the weights of every finished node, and of every rung of a network that halving retrained;
                  in leaves/begin/ those that supernets begin with, where they are not drawn
slurm/            while jobs of SLURM work on it: see `cleave.engine.slurm_files`
result.json       the outcome; the same seed gives the same bytes
timing.json       the seconds it took, all sessions together

That is a search's. A training from scratch has train.yaml for recipe.yaml, no tree.json, and in leaves/ one network,
and in leaves/seen/ hashes of the images that it has seen.

The last checkpoint of a finished run holds the SHA-256 of tree.json, timing.json and result.json.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import Field

from cleave.errors import UserError, cause
from cleave.run.durable import Owner, json_bytes, read_folder, saving, write_bytes
from cleave.run.events import EVENTS as EVENTS
from cleave.run.events import START, Events, Mark, checked
from cleave.run.generations import Generations, Record, read_record, write_record
from cleave.run.mirror import at_hand
from cleave.run.origin import CHECKPOINTS, SEARCH, Begun, Origin, begin
from cleave.run.outcome import hashes_of
from cleave.run.reading import Damaged, Timing, read_json, shaped
from cleave.settings import Settings

RESULT, TREE, TIMING = "result.json", "tree.json", "timing.json"
LATENCY = "latency.json"
"""How long the chosen network takes, where that was limited."""


class Saved(Begun):
    """meta.json of a run's own checkpoints; `search` is what is plain of what it learnt, null before there is any."""

    search: dict[str, Any] | None
    events: Mark
    seconds: float = Field(ge=0)


class RunFiles:
    """What every process that works on a run may use at the same time as others. `identity`: of the run's origin."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self.identity = path, identity

    def keep_leaf(self, label: str, record: Record) -> str:
        """Puts a finished node's state aside; returns its identity."""
        with saving(self.path):
            (self.path / "leaves").mkdir(exist_ok=True)
        return write_record(self.path / "leaves" / label, record, self._owner(label))

    def own(self, label: str) -> Record:
        """Whatever this run has put aside under a label; Damaged where that is nothing, or not whole."""
        return read_record(self.path / "leaves" / label, of=self._owner(label))

    def _owner(self, label: str) -> Owner:
        return {"run": self.identity, "leaf": label}

    def leaf(self, label: str, identity: str) -> Record:
        """A finished node's state; UserError where it is not what was put aside."""
        try:
            return read_record(self.path / "leaves" / label, identity)
        except Damaged as error:
            raise _lost(error) from error

    def check_leaves(self, kept: Mapping[str, str]) -> None:
        """UserError where saved weights (identities by label) are not what was put aside."""
        for label, identity in kept.items():
            try:
                read_folder(self.path / "leaves" / label, identity)
            except Damaged as error:
                raise _lost(error) from error


def _lost(error: Damaged) -> UserError:
    return UserError(f"{error}; these weights cannot be made again: for them start the run again in a new folder")


class RunFolder(RunFiles):
    """A run's files, by what they mean. Use within a RunLock."""

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin.identity)
        self.origin = origin
        self.events = Events(path / EVENTS)
        self.generations = Generations(path / CHECKPOINTS, origin.owner)
        self.finished: dict[str, str] | None = None
        self.seconds_before = 0.0
        self.opened_at = time.monotonic()

    @property
    def files(self) -> RunFiles:
        """What of it others may use too."""
        return RunFiles(self.path, self.identity)

    @property
    def seconds(self) -> float:
        """Wall time in all sessions, up to now."""
        return self.seconds_before + time.monotonic() - self.opened_at

    @property
    def timing(self) -> dict[str, float]:
        """What timing.json says now."""
        return {"seconds": round(self.seconds, 3)}

    def newest(self, say: Callable[[str], None]) -> Record:
        """The newest whole checkpoint, whose meta is `Saved`; see `Generations.newest`. Events go back to it."""
        record = self.generations.newest(say)
        meta = shaped(self.generations.folder, Saved, record.meta)
        self.events.go_back(Mark(**meta["events"]))
        self.finished = meta["finished"]
        self.seconds_before = meta["seconds"] if self.finished else self._told_seconds(meta["seconds"])
        return record

    def _told_seconds(self, saved: float) -> float:
        """What timing.json says, which may be of later; where it is no more, it is made again from the checkpoint."""
        try:
            told: float = read_json(self.path / TIMING, Timing)["seconds"]
        except Damaged:
            return saved
        return told

    def save(self, known: Record, finished: Mapping[str, str] | None = None) -> None:
        """Commits a generation from which the run goes on as if nothing had happened."""
        rest = saved(known.meta, self.events.position, self.seconds, finished)
        self.generations.commit(Record(known.weights, known.state, {"origin": self.origin.to_json(), **rest}))

    def finish(self, known: Record, result: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        """Writes the outcome, with `more` files as JSON, of which the last checkpoint vouches for every byte.

        UserError where it is another than the one that the run had already.
        """
        checked(self.events.path, self.events.position)
        told = {**more, TIMING: self.timing, RESULT: result}
        files = {name: json_bytes(content) for name, content in told.items()}
        hashes = hashes_of(files)
        if self.finished and self.finished.get(RESULT) != hashes[RESULT]:
            raise UserError(
                f"{self.path / RESULT}: was altered and cannot be made again as it was: it comes out differently on "
                "this machine, or with the table of trained accuracies that is there now"
            )
        self.save(known, hashes)
        for name, data in files.items():
            write_bytes(self.path / name, data)


def saved(
    search: Mapping[str, Any] | None, events: Mark, seconds: float, finished: Mapping[str, str] | None
) -> dict[str, Any]:
    """What `Saved` describes."""
    return {"search": search, "events": events.model_dump(), "seconds": seconds, "finished": finished}


def create(path: Path, recipe: Settings, environment: Mapping[str, Any], kind: str = SEARCH) -> RunFolder:
    """Begins a run in an empty folder; UserError where there is something already. Use within a RunLock."""
    origin = Origin(kind, recipe.model_dump(mode="json"), environment)
    begin(path, origin, saved(None, START, 0.0, None))
    return RunFolder(path, origin)


def make_folder(path: Path) -> Path:
    """Makes a folder for a new run, or takes one that is there; the one here of a store.

    UserError where it cannot be made, or the store cannot be reached.
    """
    path = at_hand(path)
    with making(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def names_of(paths: Sequence[Path]) -> list[str]:
    """What people are told runs are called: the last part of each path, or all of it where that is not enough."""
    names = [path.resolve().name for path in paths]
    return [name if names.count(name) == 1 else str(path) for path, name in zip(paths, names, strict=True)]


def new_folder(name: str) -> Path:
    """Makes a folder of that name under runs/, numbered where others have the name; no two processes get the same."""
    runs = make_folder(Path("runs"))
    for number in count(1):
        path = runs / (name if number == 1 else f"{name}-{number}")
        with making(path), suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("numbers do not end")


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Turns the OSError of a folder that cannot be made into one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be made ({cause(error)}); give --out another folder") from error
