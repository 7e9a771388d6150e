"""Partitions of children as CSV files: which child is in which group."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

from cleave.csv_file import by_name, find_column, read_rows
from cleave.errors import UserError, shown
from cleave.run.durable import write_bytes

HEAD = ["architecture", "group"]


def write_partition(path: Path, children: Sequence[str], groups: Iterable[Iterable[int]]) -> None:
    """A CSV with a line for every child and the number of its group, for `read_partition`."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerows([children[child], number] for number, group in enumerate(groups) for child in group)
    write_bytes(path, text.getvalue().encode())


def read_partition(path: Path, children: Sequence[str]) -> list[list[str]]:
    """The groups of a CSV with columns architecture and group, in the order of their first children in `children`.

    Groups can be called anything. UserError where a child is missing, unknown, or there twice.
    """
    header, rows = read_rows(path)
    name, group = (find_column(path, header, [column]) for column in HEAD)
    group_of = {child: row.cells[group] for child, row in by_name(path, rows, name).items()}
    for child, label in group_of.items():
        if child not in children:
            raise UserError(f"{path}: {shown(child)} is none of the {len(children)} children; leave it out")
        if not label:
            raise UserError(f"{path}: child {child} has no group; write one on every line")
    missing = [child for child in children if child not in group_of]
    if missing:
        raise UserError(f"{path}: {len(missing)} of {len(children)} children are in no group ({missing[0]}); add them")
    names = dict.fromkeys(group_of[child] for child in children)
    return [[child for child in children if group_of[child] == name] for name in names]
