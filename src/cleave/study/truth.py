"""What children reach when each is trained alone: what rankings are held against."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleave.bench.table import dataset_of, need
from cleave.errors import UserError
from cleave.rank.predictions import number
from cleave.run.origin import CHECKPOINTS, newest_meta
from cleave.run.outcome import check_written
from cleave.run.reading import is_there
from cleave.study.log import Log, Numbers, read_log
from cleave.study.rankings import see

ARCHITECTURE, MEAN, STD, RUNS = ("label", "architecture", "arch"), ("gt_mean", "mean", "accuracy"), "std", "runs"
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
    """The log that is meant: a study's, where its folder is given; UserError where that is not as it was written."""
    if not path.is_dir():
        return path
    if is_there(path / CHECKPOINTS):
        check_written(path, newest_meta(path).get("finished"), ("log.parquet",))
    return path / "log.parquet"


def read_truth(path: Path, log: Log) -> Truth:
    """A table (CSV), or the log of a study in which children were trained alone (Parquet, or the study's folder).

    A table has a column for the architecture (label, architecture or arch) and one for the mean accuracy (gt_mean,
    mean or accuracy; shares where none is above 1, else percent), and may have std (ddof 0) and runs. The published
    table (its deviations are called gt_std_ddof0) is of 10 runs. A benchmark (.npz, as `cleave benchmark import` makes
    it) is of the data set that the log says, else CIFAR-10. UserError for what is none, is of another space or lacks a
    child.
    """
    kinds = {".csv": read_table, ".npz": read_benchmark}
    return kinds[path.suffix](path, log) if path.suffix in kinds else read_runs(log_file(path), log)


def read_benchmark(path: Path, log: Log) -> Truth:
    """Test accuracies of NAS-Bench-201, see `read_truth`."""
    table = need(path)
    data = log.meta.get("recipe", {}).get("data", {}).get("name", "")
    accuracies = table.accuracies(dataset_of(data), "test")
    order = places(path, [table.arch(number) for number in range(len(table))], log)
    return Truth(str(path), np.asarray(accuracies, dtype=np.float64)[order])


def read_table(path: Path, log: Log) -> Truth:
    """A CSV file, see `read_truth`."""
    header, lines = read_lines(path)
    label, mean = (find_column(path, header, names) for names in (ARCHITECTURE, MEAN))
    listed = [line[label] for line in lines]
    if len(set(listed)) < len(listed):
        raise UserError(f"{path}: an architecture is there more than once; leave one line for each")
    order = places(path, listed, log)

    def column(name: str) -> Numbers | None:
        return np.array([number(path, name, lines[place][name]) for place in order]) if name in header else None

    means, runs = column(mean), column(RUNS)
    assert means is not None
    scale = 100 if (means <= 1).all() else 1
    std = column(PUBLISHED_STD if PUBLISHED_STD in header else STD)
    known = PUBLISHED_RUNS if PUBLISHED_STD in header else None
    return Truth(
        str(path),
        scale * means,
        std=None if std is None else scale * std,
        runs=known if runs is None else int(runs.min()),
    )


def read_lines(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Names of the columns, and the lines by column."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *lines = csv.reader(file, strict=True)
            return header, [dict(zip(header, line, strict=True)) for line in lines if line]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:  # ValueError: no line at all, lines of unequal length, or not text
        raise UserError(f"{path}: is not a CSV file with a header line ({error})") from error


def find_column(path: Path, header: Sequence[str], names: Sequence[str]) -> str:
    """The first of these columns that is there."""
    for name in names:
        if name in header:
            return name
    raise UserError(f"{path}: has no column {names[0]!r}, which a table of trained accuracies needs; name one so")


def read_runs(path: Path, log: Log) -> Truth:
    """The last look at the end of an epoch of each instance of a study, see `read_truth`."""
    alone = read_log(path)
    epochs = see(alone).epochs
    if not epochs:
        raise UserError(f"{path}: has no look at the end of an epoch; give the log of children trained alone")
    order = places(path, alone.children, log)
    finals = np.stack([looks.accuracy[-1, order] for looks in epochs])
    return Truth(str(path), finals.mean(axis=0), finals.std(axis=0), len(finals), finals)


def places(path: Path, listed: Sequence[str], log: Log) -> list[int]:
    """Where each child of the log is in a truth; UserError where one is not."""
    where = {name: place for place, name in enumerate(listed)}
    missing = [child for child in log.children if child not in where]
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
    return [where[child] for child in log.children]
