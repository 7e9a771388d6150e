"""The minimum cut of a matrix in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cleave.errors import UserError
from cleave.split.matrix import partition_file, read_matrix
from tests.fresh import fresh
from tests.reference.partition import cost, minimum

random = fresh()


def symmetric(count: int) -> NDArray[np.float64]:
    entries = random.normal(size=(count, count))
    return entries + entries.T


def some_names(count: int) -> list[str]:
    return [f"op {number}" for number in random.permutation(100)[:count]]


def write(path: Path, names: list[str], entries: NDArray[np.float64]) -> Path:
    """The matrix without a column of names."""
    return write_lines(path, [names, *as_text(entries)])


def write_lines(path: Path, lines: list[list[str]]) -> Path:
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
    return path


def as_text(entries: NDArray[np.float64]) -> list[list[str]]:
    return [[repr(float(entry)) for entry in row] for row in entries]


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_the_cut_is_the_lowest_and_is_that_of_the_groups(tmp_path: Path, parts: int) -> None:
    names, entries = some_names(5), symmetric(5)
    found = partition_file(write(tmp_path / "m.csv", names, entries), parts, distance=False)
    groups = tuple(tuple(names.index(name) for name in group) for group in found["groups"])
    assert sorted(name for group in found["groups"] for name in group) == sorted(names)
    assert found["cut"] == pytest.approx(cost(entries.tolist(), groups))
    assert found["cut"] == pytest.approx(minimum(entries.tolist(), parts))


def test_of_distances_the_largest_sum_is_cut_and_told_in_their_unit(tmp_path: Path) -> None:
    names, entries = some_names(6), np.abs(symmetric(6))
    found = partition_file(write(tmp_path / "m.csv", names, entries), 2, distance=True)
    assert found["cut"] == pytest.approx(-minimum((-entries).tolist(), 2))


def test_the_diagonal_is_not_read(tmp_path: Path) -> None:
    names, entries = some_names(5), symmetric(5)
    plain = partition_file(write(tmp_path / "m.csv", names, entries), 2, distance=False)
    np.fill_diagonal(entries, np.nan)
    assert partition_file(write(tmp_path / "m.csv", names, entries), 2, distance=False) == plain


def test_a_first_column_of_names_and_spaces_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    names, entries = some_names(4), symmetric(4)
    rows = [[f" {name}", *row] for name, row in zip(names, as_text(entries), strict=True)]
    labelled = write_lines(tmp_path / "labelled.csv", [["\ufeff", *names], *rows, []])
    assert read_matrix(labelled) == read_matrix(write(tmp_path / "bare.csv", names, entries))
    assert read_matrix(labelled) == (names, entries.tolist())


def test_row_names_in_another_order_are_refused(tmp_path: Path) -> None:
    names, entries = some_names(4), symmetric(4)
    rows = [[name, *row] for name, row in zip(reversed(names), as_text(entries), strict=True)]
    path = write_lines(tmp_path / "m.csv", [["", *names], *rows])
    with pytest.raises(UserError, match=r"m\.csv: the first column must repeat the header"):
        read_matrix(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n1,2\n", "not square: 2 names, 1 rows"),
        ("a,b\n1,2\n3\n", "not square"),
        ("a,b\n1,2,3\n2,1,3\n", "not square"),
        ("a,b\n1,2\n2,1\n1,2\n", "not square: 2 names, 3 rows"),
        (",a,b\na,1,2\n", "not square"),
        ("a,b\n1,x\n2,1\n", "line 2: b is 'x', but must be a finite number"),
        ("a,b\n1,2\n,1\n", "line 3: a is '', but must be a finite number"),
        ("a,b\n1,nan\nnan,1\n", "line 3: a is 'nan', but must be a finite number"),
        ("a,b\n1,inf\ninf,1\n", "line 3: a is 'inf', but must be a finite number"),
        ("a,b\n1,2\n3,1\n", "not symmetric: a, b is 2.0 but the other way 3.0"),
        ("a,a\n1,2\n2,1\n", "must name each candidate once"),
        ("a,\n1,2\n2,1\n", "must name each candidate once"),
    ],
)
def test_a_malformed_file_is_refused_by_name_and_reason(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        read_matrix(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.csv: cannot be read"):
        read_matrix(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"binary\.csv: line 1 is not text"):
        read_matrix(tmp_path / "binary.csv")


def test_more_parts_than_candidates_or_none_are_refused(tmp_path: Path) -> None:
    count = int(random.integers(2, 6))
    path = write(tmp_path / "m.csv", some_names(count), symmetric(count))
    for parts in (0, -1, count + 1):
        with pytest.raises(UserError, match=rf"--parts {parts}: .* has {count} candidates"):
            partition_file(path, parts, distance=False)
