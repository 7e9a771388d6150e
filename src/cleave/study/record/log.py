"""What a study saw, one accuracy per row: a Parquet file from which every figure is computed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from cleave.csv_file import LARGEST, numbers, read_lines, refuse_uneven
from cleave.errors import SHOWN, UserError, brief, shown
from cleave.files import first_bytes, read_text, readable
from cleave.run.reading import open_plain
from cleave.space import Space, SpaceSettings, find_space
from cleave.space.registry import SPACES, settings_from

Numbers = NDArray[np.float64]

PARQUET = b"PAR1"
"""What a log begins with, and ends with."""

COLUMNS: dict[str, pyarrow.DataType] = {
    "instance": pyarrow.int32(),  # number of the repetition, from 0
    "group": pyarrow.int32(),  # which supernet of the instance, from 0
    "epoch": pyarrow.int32(),  # epochs begun by the time of the look, from 1
    "step": pyarrow.int64(),  # mini-batches that the supernet was trained on before
    "trained": pyarrow.string(),  # the child that the last of them was for; null: not known
    "evaluated": pyarrow.string(),
    "accuracy": pyarrow.float64(),  # percent
    "dense": pyarrow.bool_(),  # a look after each of the last mini-batches; else one at the end of an epoch
    "statistics": pyarrow.string(),  # of the normalisations: running | child | batch | recalibrated
    "tuned": pyarrow.int32(),  # mini-batches that the child was trained on alone since then; 0: none
    "images": pyarrow.string(),  # held-out | test
}

DTYPES: dict[pyarrow.DataType, type] = {
    pyarrow.int32(): np.int32, pyarrow.int64(): np.int64, pyarrow.float64(): np.float64, pyarrow.bool_(): np.bool_,
}  # fmt: skip
"""Of numpy, for each type of column but strings (pyarrow's own table of them needs pandas in its older releases)."""

PUBLISHED = {"space": {"name": "cells64", "ops": None, "channels": 16, "cells": 4}, "image": [3, 32, 32], "classes": 10}
"""Space, image and classes of the accuracies that were published with the paper."""


@dataclass(frozen=True)
class Looks:
    """Accuracies (percent) [looks, children], in the order in which they were taken.

    `steps` and `epochs` are [looks]. `trained` is the child that the last mini-batch before each look was for; None
    where that is not known or where several supernets were looked at together.
    """

    children: tuple[str, ...]
    steps: NDArray[np.int64]
    epochs: NDArray[np.int64]
    trained: tuple[str | None, ...]
    accuracy: Numbers

    def __len__(self) -> int:
        return len(self.steps)

    def last(self, count: int) -> Looks:
        """The last `count` looks, or all where there are fewer."""
        kept = slice(-count, None)
        return Looks(self.children, self.steps[kept], self.epochs[kept], self.trained[kept], self.accuracy[kept])


@dataclass(frozen=True)
class Log:
    """Rows by column (`COLUMNS`), and what they are of.

    `meta`: {"space": its settings, as {"name", "ops", "channels", "cells"}, "image": [channels, height, width],
    "classes", "children": names in the space's order, ...}. Every question is about one kind of statistics and images:
    the log's first unless said otherwise.
    """

    name: str  # of the file, for errors
    meta: Mapping[str, Any]
    rows: Mapping[str, NDArray[Any]] = field(repr=False)

    @property
    def children(self) -> tuple[str, ...]:
        return tuple(self.meta["children"])

    @cached_property
    def settings(self) -> SpaceSettings:
        """What the log is of."""
        name = self.meta["space"]["name"]
        if SPACES.canonical(name) not in SPACES:
            raise UserError(f"{self.name}: {shown(name)} is not a built-in space; give its file with --extension")
        return settings_from(self.meta["space"])

    @cached_property
    def space(self) -> Space:
        return find_space(self.settings)

    @property
    def size(self) -> Any:  # noqa: ANN401
        """That of the space's networks, as its layout takes it."""
        return self.settings.size

    @cached_property
    def instances(self) -> tuple[int, ...]:
        return tuple(int(number) for number in np.unique(self.rows["instance"]))

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """The kinds of statistics that the log has, in the order in which they appear."""
        return tuple(dict.fromkeys(self.rows["statistics"].tolist()))

    def where(self, **equal: object) -> Log:
        """The rows whose columns have these values."""
        kept = np.ones(len(self.rows["step"]), dtype=bool)
        for column, value in equal.items():
            kept &= self.rows[column] == value
        return Log(self.name, self.meta, {column: values[kept] for column, values in self.rows.items()})

    def groups(self, instance: int) -> tuple[int, ...]:
        """The numbers of an instance's supernets."""
        return tuple(int(number) for number in np.unique(self.where(instance=instance).rows["group"]))

    def looks(
        self, instance: int, *, dense: bool, group: int | None = None, statistics: str | None = None,
        images: str | None = None,
    ) -> Looks:  # fmt: skip
        """The looks at an instance: of one of its supernets, or of all together, aligned at their ends.

        UserError where a child is missing in one of them.
        """
        kind = statistics or self.statistics[0]
        judged = images or str(self.rows["images"][0])
        part = self.where(instance=instance, dense=dense, statistics=kind, images=judged, tuned=0)
        if group is not None:
            return part._one(group)
        found = [part._one(number) for number in part.groups(instance)]
        if len(found) == 1 and found[0].children == self.children:
            return found[0]
        return part._together(found)

    def _one(self, group: int) -> Looks:
        rows = self.where(group=group).rows
        inside = set(rows["evaluated"].tolist())
        children = tuple(child for child in self.children if child in inside)
        steps, first, look = np.unique(rows["step"], return_index=True, return_inverse=True)
        place = {child: number for number, child in enumerate(children)}
        accuracy = np.full((len(steps), len(children)), np.nan)
        accuracy[look, [place[child] for child in rows["evaluated"].tolist()]] = rows["accuracy"]
        holes = np.argwhere(np.isnan(accuracy))
        if len(holes):
            raise self._missing(children[holes[0][1]], len(holes), f" after step {steps[holes[0][0]]}")
        trained = tuple(rows["trained"][first].tolist())
        return Looks(children, steps, rows["epoch"][first].astype(np.int64), trained, accuracy)

    def _together(self, parts: Sequence[Looks]) -> Looks:
        if not parts:
            raise UserError(f"{self.name}: has no such looks")
        count = min(len(part) for part in parts)
        parts = [part.last(count) for part in parts]
        by_child = {
            child: column for part in parts for child, column in zip(part.children, part.accuracy.T, strict=True)
        }
        missing = [child for child in self.children if child not in by_child]
        if missing:
            raise self._missing(missing[0], len(missing))
        accuracy = np.stack([by_child[child] for child in self.children], axis=1)
        return Looks(self.children, parts[0].steps, parts[0].epochs, (None,) * count, accuracy)

    def _missing(self, child: str, count: int, when: str = "") -> UserError:
        others = f" (and {count - 1} more)" if count > 1 else ""
        return UserError(f"{self.name}: has no accuracy of child {child}{when}{others}; use a log that is whole")


def read_log(path: Path, order: Path | None = None) -> Log:
    """A Parquet log, or accuracies as they were published with the paper (CSV); UserError where it is neither.

    `order`: for the CSV, the file with the order in which children were trained, one index per line.
    """
    if first_bytes(path, len(PARQUET)) != PARQUET:
        return read_published(path, read_order(order) if order else None)
    if order is not None:
        raise UserError(f"--order {order}: {path} says itself which child was trained; leave it out")
    try:
        with open_plain(path) as file:
            table = pyarrow.parquet.read_table(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: {not_whole(path, error)}; make it again, or use a log that is whole") from error
    meta = read_meta((table.schema.metadata or {}).get(b"cleave", b""))
    if meta is None or [*table.schema.names] != [*COLUMNS] or [*table.schema.types] != [*COLUMNS.values()]:
        raise UserError(f"{path}: is no log of `cleave study`; give the log.parquet of a study, or its folder")
    log = Log(str(path), meta, {name: table[name].to_numpy() for name in COLUMNS})
    for problem in damage(log, table):
        raise UserError(f"{path}: {problem}; it was altered: make it again, or use a log that is whole")
    return log


def not_whole(path: Path, error: Exception) -> str:
    """What is wrong with a Parquet file that cannot be read."""
    with readable(path) as file:
        file.seek(-len(PARQUET), os.SEEK_END)
        cut = file.read() != PARQUET
    return "is cut short" if cut else f"is a damaged log ({brief(str(error), 2 * SHOWN)})"


class Of(BaseModel, extra="allow"):
    """The space of a log, whose other settings are its own."""

    name: str


class Meta(BaseModel):
    """What a log is of, as far as it is read; the rest is passed on."""

    space: Of
    image: tuple[int, int, int]
    classes: int
    children: Annotated[list[str], Field(min_length=1)]


def read_meta(text: bytes) -> dict[str, Any] | None:
    """What a log is of; None where it is not in the form of a study."""
    try:
        meta: dict[str, Any] = json.loads(text)
        Meta.model_validate(meta, strict=False)
    except (ValueError, RecursionError):  # pydantic's errors are ValueErrors
        return None
    kind = SPACES.get(SPACES.canonical(meta["space"]["name"]))
    return meta if kind is None or kind.settings_class.model_fields.keys() <= meta["space"].keys() else None


def damage(log: Log, table: pyarrow.Table) -> Iterator[str]:
    """What is wrong with the rows of a log."""
    if not len(table):
        yield "has no rows"
        return
    empty = [name for name in COLUMNS if name != "trained" and table[name].null_count]
    if empty:
        yield f"column {empty[0]} has empty places"
    outside = ~((log.rows["accuracy"] >= 0) & (log.rows["accuracy"] <= 100))  # NaN too
    if outside.any():
        yield f"an accuracy is {log.rows['accuracy'][outside][0]:g}, not from 0 to 100 percent"
    if len(set(log.children)) < len(log.children):
        yield "lists a child twice"
    strangers = sorted(set(table["evaluated"].to_pylist()) - set(log.children), key=str)
    if strangers:
        yield f"child {strangers[0]} is none of its children"
    where = [name for name in COLUMNS if name not in ("epoch", "trained", "accuracy")]
    if len(table.select(where).group_by(where).aggregate([])) < len(table):
        yield "the same look at a child is there twice"


def read_published(path: Path, order: Sequence[int] | None) -> Log:
    """The published table: a row per mini-batch (its number, from 1), a column per child (its index); shares of 1."""
    head, *body = read_lines(path)
    children = all_children(find_space("cells64"))
    if sorted(head.cells[1:]) != sorted(map(str, range(len(children)))):
        raise UserError(
            f"{path}: is neither a log of `cleave study` nor the published table, whose first line has the indices of "
            f"all {len(children)} children of cells64"
        )
    if not body:
        raise UserError(f"{path}: has no line below its head; a line for every mini-batch is needed")
    refuse_uneven(path, head, body)
    batches, *shares = (
        numbers(path, name, [(line.number, line.cells[place]) for line in body], low, high)
        for place, (name, low, high) in enumerate([(STEP, 1, MOST), *((name, 0, 1) for name in head.cells[1:])])
    )
    if len({*batches.tolist()}) < len(batches) or (batches % 1).any():
        raise UserError(f"{path}: its first column must number the mini-batches, each another whole number")
    indices, table = [int(name) for name in head.cells[1:]], np.stack(shares, axis=1)
    looks = len(table)
    steps, names = batches.astype(np.int64), np.array([children[index] for index in indices], dtype=object)
    if order is not None and sorted(order) != list(range(len(children))):
        raise UserError(f"--order: must list each of the {len(children)} children once, by its index from 0")
    trained = [None if order is None else children[order[(step - 1) % len(order)]] for step in steps.tolist()]
    rows = {
        "instance": 0, "group": 0, "epoch": 0, "step": np.repeat(steps, len(indices)),
        "trained": np.repeat(np.array(trained, dtype=object), len(indices)), "evaluated": np.tile(names, looks),
        "accuracy": 100 * table.reshape(-1), "dense": True, "statistics": "running", "tuned": 0,
        "images": "test",  # the authors' validation part
    }  # fmt: skip
    return Log(str(path), {**PUBLISHED, "children": list(children)}, filled(rows, looks * len(indices)))


STEP, MOST = "mini-batch", 10**15
"""How errors call the published table's first column, which has no name; and its largest number."""


def read_order(path: Path) -> list[int]:
    """The indices of children in the order in which they were trained, one per line."""
    words = read_text(path, LARGEST).split()
    wrong = next((word for word in words if not (word.isdecimal() and len(word) < 10)), None)
    if wrong is not None:
        raise UserError(f"{path}: is no order of children, one index per line: {shown(wrong)} is none")
    return [int(word) for word in words]


def filled(rows: Mapping[str, Any], count: int) -> dict[str, NDArray[Any]]:
    """Columns of that length; a single value is repeated."""
    return {
        name: values if isinstance(values, np.ndarray) else np.full(count, values, dtype=DTYPES.get(kind, object))
        for name, kind in COLUMNS.items()
        for values in [rows[name]]
    }


def all_children(space: Space) -> tuple[str, ...]:
    """The names of all valid architectures, in the space's own order."""
    from cleave.space.sample import enumerate_valid

    return tuple(space.format(arch) for arch in enumerate_valid(space, space.region))


def join(logs: Iterable[Log], name: str, meta: Mapping[str, Any]) -> Log:
    """The rows of several logs, one after another."""
    parts = [log.rows for log in logs]
    return Log(name, meta, {column: np.concatenate([part[column] for part in parts]) for column in COLUMNS})


def log_bytes(log: Log) -> bytes:
    """A log as Parquet."""
    columns = {name: pyarrow.array(log.rows[name], kind, from_pandas=True) for name, kind in COLUMNS.items()}
    table = pyarrow.table(columns).replace_schema_metadata({"cleave": json.dumps(dict(log.meta))})
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data
