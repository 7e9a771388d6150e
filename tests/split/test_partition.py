"""The exact minimum cut against trying everything, and the laws of partitions."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleave.errors import UserError
from cleave.split.partition import (
    at_random,
    balanced_partitions,
    cut_cost,
    cut_links,
    each_alone,
    group_sizes,
    min_cut,
)
from tests.reference import partition as slow

shapes = st.integers(1, 6).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))
seeds = st.integers(0, 2**32)


def matrix(count: int, seed: int) -> torch.Tensor:
    """Symmetric, with negative entries and a diagonal that must not matter."""
    values = torch.randn(count, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values + values.T + 100 * torch.eye(count)


@given(shapes, seeds)
def test_the_cut_is_the_smallest_of_all_balanced_partitions(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    similarities = matrix(count, seed)
    groups = min_cut(similarities, parts)
    assert groups in slow.all_balanced(count, parts)
    assert cut_cost(similarities, groups) == pytest.approx(slow.minimum(similarities.tolist(), parts))


@given(shapes, seeds)
def test_the_cost_is_the_sum_over_links_between_groups(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    similarities = matrix(count, seed)
    groups = at_random(count, parts, torch.Generator().manual_seed(seed))
    assert cut_cost(similarities, groups) == pytest.approx(slow.cost(similarities.tolist(), groups))
    assert cut_links(groups) == slow.cost([[1.0] * count] * count, groups)


@given(shapes, seeds)
def test_the_groups_follow_the_candidates_when_these_are_permuted(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    similarities = matrix(count, seed)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed + 1))
    groups = min_cut(similarities[order][:, order], parts)
    back = tuple(sorted(tuple(sorted(order[list(group)].tolist())) for group in groups))
    assert back == min_cut(similarities, parts)


@given(shapes, seeds)
def test_adding_a_constant_to_every_link_changes_no_group(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    similarities = matrix(count, seed)
    assert min_cut(similarities + 5, parts) == min_cut(similarities, parts)


@given(shapes)
def test_the_number_of_balanced_partitions_is_their_count(shape: tuple[int, int]) -> None:
    assert balanced_partitions(*shape) == len(slow.all_balanced(*shape))


@pytest.mark.parametrize(("count", "parts", "published"), [(3, 2, 3), (6, 2, 10), (7, 2, 35), (6, 3, 15), (7, 3, 105)])
def test_the_number_of_balanced_partitions_is_the_published_one(count: int, parts: int, published: int) -> None:
    assert balanced_partitions(count, parts) == published


@given(shapes, seeds)
def test_random_groups_are_disjoint_covering_and_balanced(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    groups = at_random(count, parts, torch.Generator().manual_seed(seed))
    assert sorted(i for group in groups for i in group) == list(range(count))
    assert sorted((len(group) for group in groups), reverse=True) == group_sizes(count, parts)


def test_random_groups_are_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = Counter(at_random(5, 2, generator) for _ in range(4000))
    assert len(drawn) == 10
    expected = 400
    assert sum((seen - expected) ** 2 / expected for seen in drawn.values()) < 27.9  # chi-square, 9 df, p = .001


def test_every_candidate_alone_cuts_every_link() -> None:
    similarities = matrix(5, 0)
    assert cut_links(each_alone(5)) == 10
    assert min_cut(similarities, 5) == each_alone(5)


def test_the_kernel_that_is_far_from_both_others_is_isolated() -> None:
    """Distances .9, .1, .8 between kernels 3, 5, 7: the released code always returned {7} | {3, 5}."""
    distances = torch.tensor([[0, 0.9, 0.1], [0.9, 0, 0.8], [0.1, 0.8, 0]], dtype=torch.float64)
    assert min_cut(-distances, 2) == ((0, 2), (1,))


def test_equal_similarities_give_the_same_groups_every_time() -> None:
    assert min_cut(torch.ones(5, 5), 2) == min_cut(torch.zeros(5, 5), 2) == ((0, 1, 2), (3, 4))


def test_larger_matrices_are_cut_along_planted_groups() -> None:
    labels = torch.arange(16) % 4
    similarities = (labels[:, None] == labels).double() + 0.2 * torch.rand(16, 16, dtype=torch.float64)
    groups = min_cut((similarities + similarities.T) / 2, 4)
    assert groups == tuple(tuple(range(start, 16, 4)) for start in range(4))


def test_too_many_partitions_are_refused_before_the_search() -> None:
    with pytest.raises(UserError, match="40 candidates in 2 parts"):
        min_cut(torch.rand(40, 40), 2)
