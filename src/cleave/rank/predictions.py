"""Predicted accuracies from elsewhere, to be scored as a run is."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from cleave.errors import UserError
from cleave.rank.columns import Numbers

ARCH = "arch"


def read_all(files: Iterable[Path], names: Sequence[str], taken: Iterable[str]) -> dict[str, Numbers]:
    """The columns of all files for the architectures `names`, in their order.

    UserError where two columns, or a column and one of `taken`, have the same name.
    """
    found: dict[str, Numbers] = {}
    for file in files:
        columns = read_predictions(file, names)
        for twice in {*found, *taken} & columns.keys():
            raise UserError(f"{file}: column {twice!r} is there already, in the table or another file; rename it")
        found |= columns
    return found


def read_predictions(file: Path, names: Sequence[str]) -> dict[str, Numbers]:
    """The numeric columns of a CSV file with a header and a column "arch"; higher predicts better.

    UserError for a file that is none, lacks one of `names`, has one twice, or holds what is no finite number.
    """
    header, rows = read_rows(file)
    where = header.index(ARCH)
    by_arch = {row[where]: row for row in rows}
    if len(by_arch) < len(rows):
        raise UserError(f"{file}: an architecture is there more than once; leave one line for each")
    missing = [name for name in names if name not in by_arch]
    if missing:
        raise UserError(
            f"{file}: lacks {len(missing)} of the {len(names)} architectures ranked, {missing[0]} first; add them"
        )
    return {
        column: np.array([number(file, column, by_arch[name][position]) for name in names])
        for position, column in enumerate(header)
        if position != where
    }


def read_rows(file: Path) -> tuple[list[str], list[list[str]]]:
    """Header and lines, all of the same length."""
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            header, *rows = csv.reader(opened, strict=True)
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:  # ValueError: no line at all, or not text
        raise UserError(f"{file}: is not a CSV file with a header line ({error})") from error
    if ARCH not in header:
        raise UserError(f"{file}: has no column {ARCH!r}; name the column of architectures so")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise UserError(f"{file}: line {line} has {len(row)} values for {len(header)} columns; mend it")
    return header, rows


def number(file: Path, column: str, text: str) -> float:
    """A finite number; UserError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise UserError(f"{file}: column {column!r} holds {text!r}, which is no finite number; mend or remove it")
    return value
