"""Partitions of children: found, regular and random."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleave.errors import UserError
from cleave.stats.clusters import Groups, clusters, correlation, sequential, shuffled
from cleave.study.record.log import Numbers, read_log
from tests.fresh import fresh
from tests.study.made import some_accuracies

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
    return correlation(fresh().normal(size=(looks, children)))


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
    random = fresh()
    kinds = random.permutation(np.repeat(np.arange(4), 5))
    moves = random.normal(size=(40, 4))
    accuracy = 70 + 10 * random.normal(size=20) + moves[:, kinds] + random.normal(0, 0.1, size=(40, 20))
    assert {frozenset(group) for group in clusters(correlation(accuracy), 4)} == as_sets(kinds.tolist())


def test_children_that_never_change_are_put_somewhere_too() -> None:
    accuracy = fresh().normal(size=(10, 6))
    accuracy[:, [1, 4]] = 10.0
    groups = clusters(correlation(accuracy), 3)
    assert sorted(child for group in groups for child in group) == list(range(6))


def test_distances_that_differ_by_rounding_alone_are_equal() -> None:
    """Children in two blocks of equal correlations: which are joined first must not hang on the last digit."""
    matrix = np.kron(np.eye(2), np.full((4, 4), 0.3))
    np.fill_diagonal(matrix, 1)
    noise = fresh().uniform(-1e-14, 1e-14, size=(8, 8))
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


def test_correlations_are_pearsons_and_a_constant_child_has_none() -> None:
    accuracy = some_accuracies(20, 6)
    np.testing.assert_allclose(correlation(accuracy), np.corrcoef(accuracy.T), atol=1e-12)
    accuracy[:, 2] = 10.1  # whose mean over 20 looks is not 10.1 in floating point
    found = correlation(accuracy)
    np.testing.assert_array_equal(found[2], np.eye(6)[2])
    np.testing.assert_array_equal(found, found.T)
