"""Predicted accuracies from elsewhere, to be scored as a run is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cleave.csv_file import by_name, column_of, find_column, read_rows
from cleave.errors import UserError, shown
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
            raise UserError(f"{file}: column {shown(twice)} is there already, in the table or another file; rename it")
        found |= columns
    return found


def read_predictions(file: Path, names: Sequence[str]) -> dict[str, Numbers]:
    """The numeric columns of a CSV file with a column "arch"; higher predicts better.

    UserError for a file that is none, lacks one of `names`, has one twice, or holds what is no finite number.
    """
    header, rows = read_rows(file)
    arch = find_column(file, header, [ARCH])
    found = by_name(file, rows, arch)
    missing = [name for name in names if name not in found]
    if missing:
        raise UserError(
            f"{file}: lacks {len(missing)} of the {len(names)} architectures ranked, {missing[0]} first; add them"
        )
    asked = [found[name] for name in names]
    return {column: column_of(file, asked, column) for column in header if column != arch}
