"""Partitions of children as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleave.errors import UserError
from cleave.stats.clusters import sequential, shuffled
from cleave.study.record.log import all_children
from cleave.study.record.partition import read_partition, write_partition
from tests.study.made import made_log, some_children


@pytest.mark.parametrize("space", ["cells64", "nasbench201"])
def test_a_partition_that_was_written_is_read_again(tmp_path: Path, space: str) -> None:
    children = some_children(17, space)
    groups = shuffled(17, 4, 0)
    write_partition(tmp_path / "groups.csv", children, groups)
    found = read_partition(tmp_path / "groups.csv", children)
    assert found == [[children[child] for child in group] for group in sorted(groups)]


def test_groups_can_be_called_anything_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("note,group,architecture\nx,good,444\n,bad,111\ny,good,333\n")
    assert read_partition(path, ["111", "333", "444"]) == [["111"], ["333", "444"]]


CHILDREN = ("111", "112", "113")


WRONG = {
    "architecture,group\n111,0\n112,1\n": "1 of 3 children are in no group \\(113\\); add them",
    "architecture,group\n111,0\n112,1\n113,1\n111,1\n": "111 is there more than once, in line 2 and in line 5",
    "architecture,group\n111,0\n112,1\n113,1\n444,1\n": "'444' is none of the 3 children; leave it out",
    "architecture,group\n": "3 of 3 children are in no group \\(111\\); add them",
    "architecture,group\n111\n112,1\n113,1\n": "line 2 has 1 cell, the header 2 cells",
    "architecture,group\n,1\n": "'' is none of the 3 children",
    "child,group\n111,0\n": "has no column architecture, only child, group",
    "": "is empty",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_partition_is_refused_in_one_line_that_names_file_and_child(tmp_path: Path, text: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=f"groups.csv: {WRONG[text]}") as caught:
        read_partition(path, CHILDREN)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\x81" * 9)
    for name in ("binary.csv", "none.csv", "."):
        with pytest.raises(UserError, match=r"is not text|cannot be read"):
            read_partition(tmp_path / name, CHILDREN)


def test_a_partition_of_the_whole_space_has_every_child(tmp_path: Path) -> None:
    children = all_children(made_log(some_children(2), 1).space)
    write_partition(tmp_path / "all.csv", children, sequential(64, 8))
    assert [len(group) for group in read_partition(tmp_path / "all.csv", children)] == [8] * 8
