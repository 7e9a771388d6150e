"""Which children share a supernet: partitions that are found, regular, random or given in a file.

A partition is a list of groups, each a list of children's numbers, every child in exactly one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform

from cleave.csv_file import by_name, find_column, read_rows
from cleave.errors import UserError, shown
from cleave.run.durable import write_bytes
from cleave.stats.ties import level
from cleave.study.log import Numbers

Groups = list[list[int]]

HEAD = ["architecture", "group"]
DIGITS = 9
"""Of distances: fewer than rounding can change."""


def clusters(correlation: Numbers, count: int) -> Groups:
    """So many clusters of children by average linkage on 1 - correlation [children, children], by first member.

    Distances that differ by rounding alone are equal; of equal ones the first in the order of children is joined.
    """
    children = len(correlation)
    check_count(count, children)
    if children == 1:
        return [[0]]
    distances = level(squareform(1 - correlation, checks=False))
    tree = linkage(np.round(distances, DIGITS), method="average")  # which goes by the last digit of means of these
    return sorted(gather(cut_tree(tree, n_clusters=count)[:, 0], count))


def sequential(children: int, count: int) -> Groups:
    """Groups of neighbours in the space's order, their sizes differing by one at most."""
    check_count(count, children)
    return gather(np.arange(children) * count // children, count)


def shuffled(children: int, count: int, seed: int) -> Groups:
    """Random groups, their sizes differing by one at most; seed 42 makes the published ones of 64 children.

    Those were drawn with numpy's legacy generator, whose numbers the current one does not give.
    """
    check_count(count, children)
    return gather(np.random.RandomState(seed).permutation(children) % count, count)


def gather(labels: NDArray[np.integer], count: int) -> Groups:
    """The children [children] of each label below `count`."""
    return [np.flatnonzero(labels == label).tolist() for label in range(count)]


def check_count(count: int, children: int) -> None:
    """Raises UserError for a number of groups that so many children cannot be put into."""
    if not 1 <= count <= children:
        raise UserError(f"groups: cannot put {children} children into {count}; give a number from 1 to {children}")


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
