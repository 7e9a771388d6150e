"""Partitions of children: found, regular, random, and given in files."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleave.errors import UserError
from cleave.study.clusters import Groups, clusters, read_partition, sequential, shuffled, write_partition
from cleave.study.interference import correlation
from cleave.study.log import Numbers, all_children, read_log
from tests.study.made import made_log, some_children

COUNTS = (1, 2, 4, 8, 16, 32, 64)


def column(path: Path, name: str) -> list[int]:
    with path.open(newline="") as file:
        return [int(row[name]) for row in csv.DictReader(file)]


def labels(groups: Groups) -> list[int]:
    """The group of every child."""
    where = {child: number for number, group in enumerate(groups) for child in group}
    return [where[child] for child in range(len(where))]


def as_sets(values: list[int]) -> set[frozenset[int]]:
    return {frozenset(i for i, value in enumerate(values) if value == label) for label in values}


def matrix(children: int, looks: int = 12) -> Numbers:
    return correlation(np.random.default_rng().normal(size=(looks, children)))


def slow_clusters(similarities: Numbers, count: int) -> set[frozenset[int]]:
    """Again and again the two whose members are nearest on average become one."""
    groups = [frozenset([child]) for child in range(len(similarities))]
    while len(groups) > count:
        pairs = itertools.combinations(groups, 2)
        one, other = min(pairs, key=lambda pair: np.mean([1 - similarities[a, b] for a in pair[0] for b in pair[1]]))
        groups = [group for group in groups if group not in (one, other)] + [one | other]
    return set(groups)


@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_the_published_looks_give_the_published_clusters(shared: Path, count: int) -> None:
    folder = shared / "data" / "deeper-insights"
    accuracy = read_log(folder / "share_all_acc_last128.csv").looks(0, dense=True).accuracy
    expected = column(folder / "clusters_answer.csv", f"k{count}")
    assert {frozenset(group) for group in clusters(correlation(accuracy), count)} == as_sets(expected)


@pytest.mark.parametrize("count", COUNTS)
def test_regular_and_random_groups_are_the_published_ones(shared: Path, count: int) -> None:
    path = shared / "data" / "deeper-insights" / "partitions.csv"
    assert labels(sequential(64, count)) == column(path, f"seq_g{count}")
    assert labels(shuffled(64, count, 42)) == column(path, f"rand42_g{count}")


def test_clusters_join_the_nearest_on_average_first() -> None:
    similarities = matrix(9)
    for count in range(1, 10):
        assert {frozenset(group) for group in clusters(similarities, count)} == slow_clusters(similarities, count)


def test_clusters_come_in_the_order_of_their_first_members() -> None:
    firsts = [group[0] for group in clusters(matrix(15), 6)]
    assert firsts == sorted(firsts)
    assert firsts[0] == 0


def test_children_that_move_together_are_found_whatever_their_accuracy() -> None:
    random = np.random.default_rng()
    kinds = random.permutation(np.repeat(np.arange(4), 5))
    moves = random.normal(size=(40, 4))
    accuracy = 70 + 10 * random.normal(size=20) + moves[:, kinds] + random.normal(0, 0.1, size=(40, 20))
    assert {frozenset(group) for group in clusters(correlation(accuracy), 4)} == as_sets(kinds.tolist())


def test_children_that_never_change_are_put_somewhere_too() -> None:
    accuracy = np.random.default_rng().normal(size=(10, 6))
    accuracy[:, [1, 4]] = 10.0
    groups = clusters(correlation(accuracy), 3)
    assert sorted(child for group in groups for child in group) == list(range(6))


def test_distances_that_differ_by_rounding_alone_are_equal() -> None:
    """Children in two blocks of equal correlations: which are joined first must not hang on the last digit."""
    matrix = np.kron(np.eye(2), np.full((4, 4), 0.3))
    np.fill_diagonal(matrix, 1)
    noise = np.random.default_rng().uniform(-1e-14, 1e-14, size=(8, 8))
    for count in range(1, 9):
        assert clusters(matrix + noise + noise.T, count) == clusters(matrix, count)


def test_one_child_is_one_cluster() -> None:
    assert clusters(matrix(1), 1) == [[0]]


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), st.integers(0, 2**32 - 1))
def test_regular_and_random_groups_are_even_partitions(sizes: tuple[int, int], seed: int) -> None:
    children, count = sizes
    for groups in (sequential(children, count), shuffled(children, count, seed)):
        assert sorted(child for group in groups for child in group) == list(range(children))
        assert len(groups) == count
        assert max(map(len, groups)) - min(map(len, groups)) <= 1
    assert [child for group in sequential(children, count) for child in group] == list(range(children))


def test_random_groups_are_decided_by_the_seed() -> None:
    assert shuffled(30, 5, 7) == shuffled(30, 5, 7)
    assert shuffled(30, 5, 7) != shuffled(30, 5, 8)


@pytest.mark.parametrize("count", [-1, 0, 6])
def test_too_many_or_no_groups_are_refused(count: int) -> None:
    for make in (
        lambda: clusters(matrix(5), count),
        lambda: sequential(5, count),
        lambda: shuffled(5, count, 0),
    ):
        with pytest.raises(UserError, match=f"cannot put 5 children into {count}; give a number from 1 to 5"):
            make()


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
