"""Tables that people give as CSV files, as spreadsheets and pandas write them: the one reader for all of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from math import inf, isinf, nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleave.errors import SHOWN, UserError, brief, shown
from cleave.files import read_text

Numbers = NDArray[np.float64]

LARGEST = 2**26
"""Bytes of a file at most."""


@dataclass(frozen=True)
class CsvLine:
    """The cells of a line of the file (numbered from 1), without the blanks around them."""

    number: int
    cells: list[str]


@dataclass(frozen=True)
class CsvRow:
    """The same by the names of the columns; what has no name, as pandas' index, is left out."""

    line: int
    cells: dict[str, str]


def read_rows(path: Path) -> tuple[list[str], list[CsvRow]]:
    """The names in a file's header, and its lines below by these names.

    UserError where the file cannot be read, is none, has two columns of one name, or lines of other lengths.
    """
    header, *lines = read_lines(path)
    names = [name for name in header.cells if name]
    for twice in (name for place, name in enumerate(names) if name in names[:place]):
        raise UserError(f"{path}: has two columns {shown(twice)}; give them different names")
    refuse_uneven(path, header, lines)
    pairs = ((line.number, zip(header.cells, line.cells, strict=True)) for line in lines)
    return names, [CsvRow(number, {name: text for name, text in cells if name}) for number, cells in pairs]


def refuse_uneven(path: Path, header: CsvLine, lines: Sequence[CsvLine]) -> None:
    """UserError where a line is not as long as the header."""
    for line in lines:
        if len(line.cells) != len(header.cells):
            here, needed = (f"{count} cell{'s' * (count != 1)}" for count in (len(line.cells), len(header.cells)))
            raise UserError(f"{path}: line {line.number} has {here}, the header {needed}; write as many, with commas")


def read_lines(path: Path) -> list[CsvLine]:
    """Every line in which something stands, at least one; UserError where the file cannot be read or is no CSV."""
    reader = csv.reader(StringIO(read_text(path, LARGEST), newline=""), strict=True)
    try:
        lines = [CsvLine(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num} is not CSV ({error})") from error
    written = [line for line in lines if any(line.cells)]
    if not written:
        raise UserError(f"{path}: is empty; its first line must name the columns")
    return written


def find_column(path: Path, header: Sequence[str], names: Sequence[str]) -> str:
    """The first of these names that is a column's."""
    for name in names:
        if name in header:
            return name
    there = brief(", ".join(header), 2 * SHOWN)
    raise UserError(
        f"{path}: has no column {' or '.join(names)}, only {there}; name one so, with commas between columns"
    )


def by_name(path: Path, rows: Sequence[CsvRow], column: str) -> dict[str, CsvRow]:
    """The rows by what stands in this column; UserError where it is the same twice."""
    found: dict[str, CsvRow] = {}
    for row in rows:
        name = row.cells[column]
        if name in found:
            lines = f"in line {found[name].line} and in line {row.line}"
            raise UserError(f"{path}: {brief(name)} is there more than once, {lines}; leave one")
        found[name] = row
    return found


def column_of(path: Path, rows: Sequence[CsvRow], name: str, low: float = -inf, high: float = inf) -> Numbers:
    """A column of these rows as `numbers`."""
    return numbers(path, name, [(row.line, row.cells[name]) for row in rows], low, high)


def numbers(path: Path, column: str, cells: Sequence[tuple[int, str]], low: float = -inf, high: float = inf) -> Numbers:
    """Cells, each with the number of its line, as finite numbers from `low` to `high`.

    UserError names the line of the first that is none.
    """
    found = np.array([number(text) for _, text in cells], dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= low) & (found <= high)))
    if len(wrong):
        line, text = cells[wrong[0]]
        wanted = f"a number from {low:g} " + ("on" if isinf(high) else f"to {high:g}")
        wanted = "a finite number" if isinf(low) and isinf(high) else wanted
        raise UserError(f"{path}: line {line}: {brief(column)} is {shown(text)}, but must be {wanted}")
    return found


def number(text: str) -> float:
    """NaN for what is no number; Python's own 1_000 would be a misprint here."""
    try:
        return nan if "_" in text else float(text)
    except ValueError:
        return nan
