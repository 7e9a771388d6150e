"""What children reach when each is trained alone: what rankings are compared with."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleave.bench.table import ZIP, dataset_of, need
from cleave.csv_file import by_name, column_of, find_column, read_rows
from cleave.errors import UserError
from cleave.files import first_bytes
from cleave.run.origin import CHECKPOINTS, newest_meta
from cleave.run.outcome import check_written
from cleave.run.reading import is_there
from cleave.run.resumable import unfinished
from cleave.study.record.log import PARQUET, Log, Numbers, read_log
from cleave.study.record.views import average, see

ARCHITECTURE, MEAN, STD, RUNS = ("label", "architecture", "arch"), ("gt_mean", "mean", "accuracy"), "std", "runs"
ALONE = "none"
"""The policy of sharing (`sharing.policy`) by which each child is trained alone."""
MOST = 10**9
"""Runs of a child."""
PUBLISHED_STD, PUBLISHED_RUNS = "gt_std_ddof0", 10
"""How the table published with the paper calls its deviations, and of how many runs it is."""


@dataclass(frozen=True)
class Truth:
    """Accuracies (percent) of a log's children, in its order, each trained alone `runs` times.

    `mean` and `std` (ddof 0) are [children], `finals`, the single runs, [runs, children]; None: not known.
    """

    name: str  # of the file
    mean: Numbers
    std: Numbers | None = None
    runs: int | None = None
    finals: Numbers | None = None


def log_file(path: Path) -> Path:
    """The log that is meant: a study's, where its folder is given; UserError where that is not finished, or not as it
    was written."""
    if not os.path.isdir(path):
        return path
    if is_there(path / CHECKPOINTS):
        finished = newest_meta(path).get("finished")
        if finished is None:
            raise unfinished(path)
        check_written(path, finished, ("log.parquet",))
    return path / "log.parquet"


def read_truth(path: Path, log: Log) -> Truth:
    """A table (CSV), or the log of a study in which children were trained alone (Parquet, or the study's folder).

    A file's first bytes tell what it is, not its name. A table has a column for the architecture (label, architecture
    or arch) and one for the mean accuracy (gt_mean, mean or accuracy; shares where none is above 1, else percent), and
    may have std (ddof 0) and runs. The published table (its deviations are called gt_std_ddof0) is of 10 runs. A
    benchmark (.npz, as `cleave benchmark import` makes it) is of the data set that the log says, else CIFAR-10.
    UserError for a file that is no truth, is of another space or lacks a child.
    """
    file = log_file(path)
    kinds = {PARQUET: read_runs, ZIP: read_benchmark}
    return kinds.get(first_bytes(file, 4), read_table)(file, log)


def read_benchmark(path: Path, log: Log) -> Truth:
    """Test accuracies of NAS-Bench-201, see `read_truth`."""
    table = need(path)
    data = log.meta.get("recipe", {}).get("data", {}).get("name", "")
    dataset = dataset_of(data)
    accuracies = table.accuracies(dataset, "test")
    order = places(path, [table.arch(number) for number in range(len(table))], log)
    return Truth(f"{path} ({dataset})", np.asarray(accuracies, dtype=np.float64)[order])


def read_table(path: Path, log: Log) -> Truth:
    """A CSV file, see `read_truth`."""
    header, rows = read_rows(path)
    label, mean = (find_column(path, header, names) for names in (ARCHITECTURE, MEAN))
    listed = by_name(path, rows, label)
    check_listed(path, listed, log)
    asked = [listed[child] for child in log.children]

    def column(name: str, low: float, high: float) -> Numbers | None:
        return column_of(path, asked, name, low, high) if name in header else None

    means, runs = column(mean, 0, 100), column(RUNS, 1, MOST)
    assert means is not None
    scale = 100 if (means <= 1).all() else 1
    std = column(PUBLISHED_STD if PUBLISHED_STD in header else STD, 0, 100)
    known = PUBLISHED_RUNS if PUBLISHED_STD in header else None
    return Truth(
        str(path),
        scale * means,
        std=None if std is None else scale * std,
        runs=known if runs is None else int(runs.min()),
    )


def read_runs(path: Path, log: Log) -> Truth:
    """The last look at the end of an epoch of each instance of a study, see `read_truth`."""
    alone = read_log(path)
    policy = alone.meta.get("recipe", {}).get("sharing", {}).get("policy", ALONE)
    if policy != ALONE:
        raise UserError(
            f"{path}: its children shared weights (sharing.policy={policy}), so that it tells of none what it reaches "
            f"alone; give the log of a study with sharing.policy={ALONE}"
        )
    epochs = see(alone).epochs
    if not epochs:
        raise UserError(f"{path}: has no look at the end of an epoch; give the log of children trained alone")
    order = places(path, alone.children, log)
    finals = np.stack([looks.accuracy[-1, order] for looks in epochs])
    return Truth(str(path), average(finals), finals.std(axis=0), len(finals), finals)


def places(path: Path, listed: Sequence[str], log: Log) -> list[int]:
    """Where each child of the log is in a truth; UserError where one is not."""
    check_listed(path, listed, log)
    where = {name: place for place, name in enumerate(listed)}
    return [where[child] for child in log.children]


def check_listed(path: Path, listed: Collection[str], log: Log) -> None:
    """UserError unless each child of the log is in a truth."""
    known = set(listed)
    missing = [child for child in log.children if child not in known]
    if len(missing) == len(log.children):
        raise UserError(
            f"{path}: is of another space: it has none of the {len(missing)} children of {log.name}, {missing[0]} "
            f"first; give a truth of {log.space.name}"
        )
    if missing:
        raise UserError(
            f"{path}: lacks {len(missing)} of the {len(log.children)} children of {log.name}, {missing[0]} first; "
            "add them"
        )
