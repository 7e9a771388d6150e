"""The minimum cut of a matrix, in a file or at hand."""

from __future__ import annotations

from itertools import combinations
from math import isclose
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleave.csv_file import number, numbers, read_lines
from cleave.errors import UserError, brief, shown
from cleave.split.partition import Groups, cut_cost, min_cut
from cleave.split.splitters import named


def partition_file(path: Path, parts: int, distance: bool) -> dict[str, Any]:
    """{"groups": names, "cut"} of the balanced partition with the smallest cut, or the largest of distances.

    The file has a header row of names and a symmetric matrix below it; a first column that repeats the names is
    allowed where the header's first cell is empty. The diagonal is not read. The cut is the sum of the file's
    entries between groups. UserError names the file and the line.
    """
    names, rows = read_matrix(path)
    groups, cut = balanced_groups(torch.tensor(rows, dtype=torch.float64), parts, distance, str(path))
    return {"groups": [list(group) for group in named(groups, names)], "cut": cut}


def partition_matrix(entries: Tensor, parts: int, distance: bool) -> dict[str, Any]:
    """The same of a symmetric matrix [n, n]; groups of the numbers of its rows."""
    if entries.ndim != 2 or entries.shape[0] != entries.shape[1] or not len(entries):
        raise UserError(f"the matrix has to be [n, n], not {list(entries.shape)}")
    rows, off = entries.double().cpu(), ~torch.eye(len(entries), dtype=torch.bool)
    if not bool(rows[off].isfinite().all()):
        raise UserError("the matrix holds what is no finite number")
    names = [str(number) for number in range(len(rows))]
    check_symmetric("the matrix", names, rows.tolist())
    groups, cut = balanced_groups(rows, parts, distance, "the matrix")
    return {"groups": [list(group) for group in groups], "cut": cut}


def balanced_groups(entries: Tensor, parts: int, distance: bool, what: str) -> tuple[Groups, float]:
    """The best groups and their cut; UserError where there are fewer candidates than parts."""
    if not 1 <= parts <= len(entries):
        raise UserError(f"--parts {parts}: {what} has {len(entries)} candidates, so give 1 to {len(entries)}")
    groups = min_cut(-entries if distance else entries, parts)
    return groups, cut_cost(entries, groups)


def read_matrix(path: Path) -> tuple[list[str], list[list[float]]]:
    """Names and entries, checked: square, finite off the diagonal, symmetric."""
    header, *lines = read_lines(path)
    labelled = header.cells[0] == ""
    names = header.cells[labelled:]
    if len(set(names)) != len(names) or "" in names:
        raise UserError(f"{path}: the header row must name each candidate once, not {shown(header.cells)}")
    rows = [line.cells[labelled:] for line in lines]
    if [len(names)] * len(names) != [len(row) for row in rows]:
        widths = sorted({len(row) for row in rows})
        raise UserError(f"{path}: not square: {len(names)} names, {len(rows)} rows of {shown(widths)} cells")
    if labelled and [line.cells[0] for line in lines] != names:
        raise UserError(f"{path}: the first column must repeat the header row's names in their order")
    for j, name in enumerate(names):
        others = [i for i in range(len(names)) if i != j]
        numbers(path, name, [(lines[i].number, rows[i][j]) for i in others])
    entries = [[number(cell) for cell in row] for row in rows]
    check_symmetric(str(path), names, entries)
    return names, entries


def check_symmetric(what: str, names: list[str], entries: list[list[float]]) -> None:
    for i, j in combinations(range(len(names)), 2):
        one, other = entries[i][j], entries[j][i]
        if not isclose(one, other, rel_tol=1e-6, abs_tol=1e-9):
            pair = f"{brief(names[i])}, {brief(names[j])}"
            raise UserError(f"{what}: not symmetric: {pair} is {one} but the other way {other}")
