"""Small logs with known accuracies, made without training anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleave.space import find_space
from cleave.study.record.log import PUBLISHED, Log, Numbers, all_children, filled, join, log_bytes
from tests.fresh import fresh

BATCHES = 10
"""Mini-batches of an epoch in a made log."""


def some_children(count: int, space: str = "cells64") -> tuple[str, ...]:
    """That many children drawn from a space, in its order."""
    known = all_children(find_space(space))
    drawn = fresh().choice(len(known), size=count, replace=False)
    return tuple(known[index] for index in sorted(drawn))


def some_accuracies(*shape: int) -> Numbers:
    """Percent; ties are likely, as they are among few held-out images."""
    return fresh().integers(200, 600, size=shape) / 10


def log_of(
    children: Sequence[str], accuracy: Numbers, *, steps: Sequence[int] | None = None,
    trained: Sequence[str | None] | None = None, **columns: int | bool | str,
) -> Log:  # fmt: skip
    """Accuracies [looks, children] as a log: dense looks after steps 1, 2, ... unless said otherwise.

    `columns` are other columns' values, the same in all rows: instance, group, dense, statistics, tuned, images.
    """
    looks, number = len(accuracy), len(children)
    taken = np.array(range(1, looks + 1) if steps is None else steps, dtype=np.int64)
    rows = {
        "instance": 0, "group": 0, "dense": True, "statistics": "running", "tuned": 0, "images": "held-out",
        "epoch": np.repeat(1 + (taken - 1) // BATCHES, number), "step": np.repeat(taken, number),
        "trained": np.repeat(np.array(trained or [None] * looks, dtype=object), number),
        "evaluated": np.tile(np.array(children, dtype=object), looks),
        "accuracy": np.asarray(accuracy, dtype=np.float64).reshape(-1), **columns,
    }  # fmt: skip
    return Log("made", {**PUBLISHED, "children": list(children)}, filled(rows, looks * number))


def joined(children: Sequence[str], *logs: Log, space: str = "cells64") -> Log:
    """One log of all their rows, for these children of a space."""
    of = {"name": space, "ops": None, "channels": 16, "cells": 4}
    return join(logs, "made", {**PUBLISHED, "space": of, "children": list(children)})


def made_log(
    children: Sequence[str], looks: int, instances: int = 1, *, epochs: int = 0,
    groups: Sequence[Sequence[str]] | None = None, statistics: Sequence[str] = ("running",), tuned: Sequence[int] = (),
    space: str = "cells64",
) -> Log:  # fmt: skip
    """Random accuracies: so many dense looks and looks at ends of epochs per instance, group and kind of statistics.

    Children are trained in turn. `groups`: the children of each supernet; None: one supernet of all. `tuned`: after
    how many mini-batches alone every child was looked at, beginning at the last epoch's end.
    """
    parts = []
    for instance in range(instances):
        for number, group in enumerate(groups or [children]):
            for kind in statistics:
                where: dict[str, Any] = {"instance": instance, "group": number, "statistics": kind}
                turn = [group[look % len(group)] for look in range(looks)]
                ends = [BATCHES * (epoch + 1) for epoch in range(epochs)]
                parts += [
                    log_of(group, some_accuracies(looks, len(group)), trained=turn, **where),
                    log_of(group, some_accuracies(epochs, len(group)), steps=ends, dense=False, **where),
                ]
                for count in tuned:
                    alone = some_accuracies(1, len(group))
                    parts.append(log_of(group, alone, steps=ends[-1:], dense=False, tuned=count, **where))
    return joined(children, *parts, space=space)


def shuffled_rows(log: Log) -> Log:
    """The same rows in another order, which must change nothing."""
    order: NDArray[np.intp] = fresh().permutation(len(log.rows["step"]))
    return Log(log.name, log.meta, {column: values[order] for column, values in log.rows.items()})


def write_log(path: Path, log: Log) -> None:
    """A log as a study leaves it."""
    path.write_bytes(log_bytes(log))
