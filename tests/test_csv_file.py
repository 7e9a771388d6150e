"""Tables as spreadsheets and pandas write them."""

from __future__ import annotations

import csv
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleave.csv_file import LARGEST, by_name, column_of, find_column, read_lines, read_rows
from cleave.errors import UserError
from tests.fresh import fresh

WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=6).map(str.strip)
TABLE = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(WORD.filter(bool), min_size=width, max_size=width), min_size=1, max_size=5)
)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@given(TABLE, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_written_is_read_whatever_its_encoding_and_line_ends(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], encoding: str, end: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, lineterminator=end).writerows(table)
        file.write(end * 3)
    assert [line.cells for line in read_lines(path)] == table
    assert [line.number for line in read_lines(path)] == list(range(1, len(table) + 1))


def test_a_files_rows_are_the_same_with_a_byte_order_mark(shared: Path) -> None:
    plain, marked = (read_rows(shared / "cases" / name) for name in ("truth64.csv", "truth64bom.csv"))
    assert plain == marked
    assert plain[0] == ["architecture", "accuracy"]
    assert len(plain[1]) == 64


def test_blank_lines_and_lines_of_commas_are_no_lines_but_are_counted(tmp_path: Path) -> None:
    _, rows = read_rows(write(tmp_path / "t.csv", "\n arch , x\r\n\n1,2\n,\n  ,  \n3,4\n,,,\n\n"))
    assert [(row.line, row.cells) for row in rows] == [(4, {"arch": "1", "x": "2"}), (7, {"arch": "3", "x": "4"})]


def test_quoted_cells_may_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    _, rows = read_rows(write(tmp_path / "t.csv", 'a,"b, c"\n"say ""x""","two\nlines"\n5,6\n'))
    assert [row.cells for row in rows] == [{"a": 'say "x"', "b, c": "two\nlines"}, {"a": "5", "b, c": "6"}]
    assert [row.line for row in rows] == [3, 4]


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    header, rows = read_rows(write(tmp_path / "t.csv", ",arch,,x\n0,a,7,1\n1,b,7,2\n"))
    assert header == ["arch", "x"]
    assert [row.cells for row in rows] == [{"arch": "a", "x": "1"}, {"arch": "b", "x": "2"}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty; its first line must name the columns"),
        ("\n,,\n", "is empty"),
        ("a,b,a\n1,2,3\n", "has two columns 'a'"),
        ("a,b\n1,2\n\n3\n", "line 4 has 1 cell, the header 2 cells"),
        ("a\n1,2\n", "line 2 has 2 cells, the header 1 cell"),
        ('a,b\n1,2\n"3,4\n', "is not CSV"),
        ('a,b\n"1"2,3\n', "line 2 is not CSV"),
        ("a\n" + "x" * 200_000, "line 2 is not CSV (field larger than"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        read_rows(write(tmp_path / "t.csv", text))
    assert str(caught.value).startswith(f"{tmp_path / 't.csv'}: {problem}") or problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_is_not_read_beyond_the_limit() -> None:
    with pytest.raises(UserError, match=f"larger than {LARGEST:,} bytes"):
        read_rows(Path("/dev/zero"))


def test_the_first_name_that_is_there_is_found(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    assert find_column(path, ["x", "mean", "accuracy"], ["gt_mean", "accuracy", "mean"]) == "accuracy"
    with pytest.raises(UserError, match=r"t\.csv: has no column arch or label, only a;b; name one so, with commas"):
        find_column(path, ["a;b"], ["arch", "label"])


def test_a_name_that_is_there_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "arch\na\nb\n\na\n")
    _, rows = read_rows(path)
    assert list(by_name(path, rows[:2], "arch")) == ["a", "b"]
    with pytest.raises(UserError, match=r"t\.csv: a is there more than once, in line 2 and in line 5"):
        by_name(path, rows, "arch")


def test_numbers_are_read_to_the_last_bit(tmp_path: Path) -> None:
    numbers = fresh().normal(size=20)
    path = write(tmp_path / "t.csv", "x\n" + "\n".join(map(repr, numbers.tolist())))
    assert column_of(path, read_rows(path)[1], "x").tolist() == numbers.tolist()


@pytest.mark.parametrize(
    "text", ["", "high", "nan", "inf", "-inf", "1e999", "1_000", '"93,5"', "93.5%", "0x10", "100.1", "-.1"]
)
def test_what_is_no_number_of_the_range_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "t.csv", f"arch,x\na,0\nb,100\nc,{text}\n")
    _, rows = read_rows(path)
    assert column_of(path, rows[:2], "x", 0, 100).tolist() == [0, 100]
    with pytest.raises(UserError) as caught:
        column_of(path, rows, "x", 0, 100)
    cell = text.strip('"')
    assert str(caught.value) == f"{path}: line 4: x is {cell!r}, but must be a number from 0 to 100"


def test_bounds_may_be_open(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "x\n-1e300\n")
    _, rows = read_rows(path)
    assert column_of(path, rows, "x").tolist() == [-1e300]
    with pytest.raises(UserError, match="must be a number from 1 on"):
        column_of(path, rows, "x", 1, inf)


def test_what_a_message_shows_of_a_file_is_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "n" * 9000 + "\n" + "v" * 9000)
    header, rows = read_rows(path)
    for wrong in (lambda: column_of(path, rows, header[0]), lambda: find_column(path, header, ["arch"])):
        with pytest.raises(UserError) as caught:
            wrong()
        assert len(str(caught.value)) < len(str(path)) + 350
