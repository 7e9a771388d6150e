"""The minimum cut of a matrix in a file."""

from __future__ import annotations

import csv
from math import isclose, isfinite
from pathlib import Path
from typing import Any

import torch

from cleave.errors import UserError
from cleave.split.partition import cut_cost, min_cut
from cleave.split.splitters import named


def partition_file(path: Path, parts: int, distance: bool) -> dict[str, Any]:
    """{"groups": names, "cut"} of the balanced partition with the smallest cut, or the largest of distances.

    The file has a header row of names and a symmetric matrix below it; a first column that repeats the names is
    allowed where the header's first cell is empty. The diagonal is not read. The cut is the sum of the file's
    entries between groups. UserError names the file and the line.
    """
    names, rows = read_matrix(path)
    if not 1 <= parts <= len(names):
        raise UserError(f"--parts {parts}: {path} has {len(names)} candidates, so give 1 to {len(names)}")
    entries = torch.tensor(rows, dtype=torch.float64)
    groups = min_cut(-entries if distance else entries, parts)
    return {"groups": [list(group) for group in named(groups, names)], "cut": cut_cost(entries, groups)}


def read_matrix(path: Path) -> tuple[list[str], list[list[float]]]:
    """Names and entries, checked: square, finite off the diagonal, symmetric."""
    header, *lines = read_lines(path)
    labelled = header[0] == ""
    names = header[labelled:]
    if len(set(names)) != len(names) or "" in names:
        raise UserError(f"{path}: the header row must name each candidate once, not {header}")
    rows = [numbers(path, number, line[labelled:]) for number, line in enumerate(lines, start=2)]
    if [len(names)] * len(names) != [len(row) for row in rows]:
        widths = sorted({len(row) for row in rows})
        raise UserError(f"{path}: not square: {len(names)} names, {len(rows)} rows of {widths} numbers")
    if labelled and [line[0] for line in lines] != names:
        raise UserError(f"{path}: the first column must repeat the header row's names in their order")
    check(path, names, rows)
    return names, rows


def read_lines(path: Path) -> list[list[str]]:
    """The cells of every line that is not empty."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file) if line]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file ({error})") from error
    if not lines:
        raise UserError(f"{path}: is empty; it needs a header row of names and a square matrix")
    return lines


def numbers(path: Path, number: int, cells: list[str]) -> list[float]:
    try:
        return [float(cell) for cell in cells]
    except ValueError as error:
        raise UserError(f"{path}: line {number}: not a number: {error.args[0].split(': ')[-1]}") from error


def check(path: Path, names: list[str], rows: list[list[float]]) -> None:
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            if i != j and not isfinite(entry):
                raise UserError(f"{path}: {names[i]}, {names[j]}: {entry} is not a finite number")
            if not isclose(entry, rows[j][i], rel_tol=1e-6, abs_tol=1e-9) and i != j:
                raise UserError(
                    f"{path}: not symmetric: {names[i]}, {names[j]} is {entry} but the other way {rows[j][i]}"
                )
