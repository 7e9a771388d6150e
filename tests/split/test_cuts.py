"""Other cuts against trying everything, against another eigensolver, and on similarities whose groups are known."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleave.errors import UserError
from cleave.split.cuts import (
    CUTS,
    Cut,
    affinities,
    normalised_cost,
    normalised_cut,
    partition_count,
    partitions,
    spectral_cut,
    spectral_order,
    unconstrained_cut,
)
from cleave.split.partition import Groups, canonical, min_cut
from cleave.split.similarity import cosine
from cleave.stats.ties import TOLERANCE
from tests.reference import cuts as slow

shapes = st.integers(1, 6).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))
counts = st.integers(3, 7)
seeds = st.integers(0, 2**32)
names = st.sampled_from(sorted(CUTS))


def cosines(count: int, seed: int) -> torch.Tensor:
    """Of random gradients, so with both signs; the diagonal must not matter."""
    rows = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return cosine([rows]).fill_diagonal_(float(torch.rand(())))


def planted(labels: list[int], inside: float, across: float) -> torch.Tensor:
    own = torch.tensor(labels)
    similar = torch.where(own[:, None] == own, inside, across).double()
    noise = 0.05 * torch.rand(len(labels), len(labels), dtype=torch.float64)
    return (similar + (noise + noise.T) / 2).clamp(-1, 1)


def groups_of(labels: list[int]) -> Groups:
    return canonical([[i for i, label in enumerate(labels) if label == own] for own in set(labels)])


@given(shapes, seeds)
def test_the_normalised_cut_is_the_smallest_of_all_partitions(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    matrix = cosines(count, seed)
    if parts == 1:
        assert normalised_cut(matrix, 1) == (tuple(range(count)),)
        return
    found = slow.normalised_cost(matrix.tolist(), normalised_cut(matrix, parts))
    everything = [slow.normalised_cost(matrix.tolist(), groups) for groups in slow.all_partitions(count, parts)]
    assert found == pytest.approx(min(everything))


@given(shapes, seeds)
def test_the_unconstrained_cut_is_the_smallest_of_all_partitions(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    matrix = cosines(count, seed)
    found = slow.plain_cost(matrix.tolist(), unconstrained_cut(matrix, parts))
    everything = [slow.plain_cost(matrix.tolist(), groups) for groups in slow.all_partitions(count, parts)]
    assert found == pytest.approx(min(everything))


@given(counts, seeds)
def test_the_spectral_halves_are_those_of_another_solver(count: int, seed: int) -> None:
    matrix = cosines(count, seed)
    assert spectral_cut(matrix, 2) == slow.halve(matrix.tolist())


@given(shapes, seeds)
def test_spectral_groups_come_from_dividing_one_group_at_a_time(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    matrix = cosines(count, seed)
    coarse, fine = (spectral_cut(matrix, many) for many in (max(1, parts - 1), parts))
    assert len(set(coarse) - set(fine)) == (parts > 1)


@given(shapes, seeds)
def test_spectral_groups_never_beat_the_exact_ones(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    matrix = cosines(count, seed)
    found, exact = (normalised_cost(affinities(matrix), cut(matrix, parts)) for cut in (spectral_cut, normalised_cut))
    assert found >= exact - 1e-9


@given(shapes)
def test_every_partition_is_tried_once(shape: tuple[int, int]) -> None:
    tried = list(partitions(*shape))
    assert len(tried) == partition_count(*shape)
    assert set(tried) == slow.all_partitions(*shape)


@pytest.mark.parametrize(("count", "parts", "published"), [(5, 2, 15), (7, 3, 301), (8, 4, 1701), (10, 5, 42525)])
def test_the_number_of_partitions_is_the_published_one(count: int, parts: int, published: int) -> None:
    assert partition_count(count, parts) == published


@given(names, shapes, seeds)
def test_groups_are_canonical_and_hold_every_candidate_once(name: str, shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    groups = CUTS[name](cosines(count, seed), parts)
    assert groups == canonical(groups)
    assert len(groups) == parts
    assert all(groups)
    assert sorted(i for group in groups for i in group) == list(range(count))


@given(names, shapes, seeds)
def test_the_groups_follow_the_candidates_when_these_are_permuted(name: str, shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    matrix = cosines(count, seed)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed + 1))
    groups = CUTS[name](matrix[order][:, order], parts)
    assert canonical([order[list(group)].tolist() for group in groups]) == CUTS[name](matrix, parts)


@pytest.mark.parametrize("labels", [[0, 1, 0, 1], [0, 1, 1, 0, 0], [0, 1, 2, 2, 1, 0]])
@pytest.mark.parametrize(("inside", "across"), [(0.9, 0.0), (0.8, -0.6), (1.0, -0.9)])
def test_planted_groups_are_found_by_every_cut(labels: list[int], inside: float, across: float) -> None:
    """By the unconstrained one only where there is hardly a link between them."""
    matrix = planted(labels, inside, across)
    for name, cut in CUTS.items():
        if name != "unconstrained" or across < -0.5:
            assert cut(matrix, max(labels) + 1) == groups_of(labels)


@pytest.mark.parametrize("labels", [[0, 1, 0, 1], [0, 1, 1, 0, 0], [0, 0, 0, 1]])
def test_opposite_gradients_without_any_link_are_told_apart_by_every_cut(labels: list[int]) -> None:
    signs = 1 - 2 * torch.tensor(labels).double()
    matrix = signs[:, None] * signs
    assert {cut(matrix, 2) for name, cut in CUTS.items() if name != "balanced"} == {groups_of(labels)}


@pytest.mark.parametrize("name", ["normalised", "spectral"])
def test_planted_groups_of_unequal_size_are_found_where_sizes_are_free(name: str) -> None:
    matrix = planted([0, 0, 1, 1, 1, 1, 1], 0.9, -0.3)
    assert CUTS[name](matrix, 2) == ((0, 1), (2, 3, 4, 5, 6)) != min_cut(matrix, 2)


def test_only_the_unconstrained_cut_splits_off_a_candidate_that_is_a_little_further_away() -> None:
    """What the paper warns of: candidate 5 belongs to the second group, but to cut it off cuts the fewest links."""
    matrix = planted([0, 0, 0, 1, 1, 1], 0.9, 0.3)
    matrix[5, 3:5] = matrix[3:5, 5] = 0.5
    halves = ((0, 1, 2), (3, 4, 5))
    found = {name: cut(matrix, 2) for name, cut in CUTS.items()}
    alone = ((0, 1, 2, 3, 4), (5,))
    assert found == {"balanced": halves, "normalised": halves, "spectral": halves, "unconstrained": alone}


@pytest.mark.parametrize("value", [1.0, 0.5, 0.0, -0.3, -1.0])
@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_of_equal_groups_the_first_are_taken(value: float, parts: int) -> None:
    """With all similarities equal every normalised cut is the same."""
    first = (tuple(range(6 - parts)), *((i,) for i in range(6 - parts, 5)))
    equal = torch.full((5, 5), value, dtype=torch.float64)
    for cut in (normalised_cut, spectral_cut, unconstrained_cut):
        assert cut(equal, parts) == first


@pytest.mark.parametrize("name", ["normalised", "spectral"])
def test_a_gradient_that_is_zero_joins_no_group_at_the_cost_of_the_others(name: str) -> None:
    """Its cosines are 0: half way between the same direction and the opposite one."""
    matrix = planted([0, 1, 1, 0, 0, 1], 0.95, -0.9)
    matrix[2, :] = matrix[:, 2] = 0
    one, other = CUTS[name](matrix, 2)
    assert {frozenset(one) - {2}, frozenset(other) - {2}} == {frozenset({0, 3, 4}), frozenset({1, 5})}


@pytest.mark.parametrize("name", ["normalised", "spectral"])
def test_a_candidate_opposed_to_all_others_costs_nothing_wherever_it_is(name: str) -> None:
    """It has no links at all; the planted groups of the others decide."""
    matrix = planted([0, 0, 2, 1, 1, 1], 0.9, -0.8)
    matrix[2, :] = matrix[:, 2] = -1
    one, other = CUTS[name](matrix, 2)
    assert {frozenset(one) - {2}, frozenset(other) - {2}} == {frozenset({0, 1}), frozenset({3, 4, 5})}


def test_affinities_grow_with_the_cosine_and_leave_the_matrix_alone() -> None:
    matrix = cosines(5, int(torch.randint(1000, ())))
    before = matrix.clone()
    weights = affinities(matrix)
    assert torch.equal(matrix, before)
    assert weights.diagonal().eq(0).all()
    apart = ~torch.eye(5, dtype=torch.bool)
    assert torch.allclose(2 * weights[apart] - 1, matrix[apart])
    assert ((weights >= 0) & (weights <= 1)).all()


@pytest.mark.parametrize("cut", [normalised_cut, spectral_cut, unconstrained_cut])
@pytest.mark.parametrize("entry", [-3.5, 1.01, float("nan")])
def test_what_is_no_cosine_is_refused(cut: Cut, entry: float) -> None:
    matrix = cosines(4, 1)
    matrix[0, 2] = matrix[2, 0] = entry
    with pytest.raises(UserError, match=r"split\.similarity: only the balanced cut takes distances; use cos"):
        cut(matrix, 2)


@pytest.mark.parametrize("cut", [normalised_cut, unconstrained_cut])
def test_too_many_partitions_are_refused_before_the_search(cut: Cut) -> None:
    with pytest.raises(UserError, match="20 candidates in 4 parts: over 20,000 partitions; use the spectral cut"):
        cut(cosines(20, 0), 4)


def test_the_spectral_cut_divides_many_candidates_along_planted_groups() -> None:
    labels = [i % 4 for i in range(40)]
    groups = tuple(tuple(range(start, 40, 4)) for start in range(4))
    assert spectral_cut(planted(labels, 0.8, 0.1), 4) == groups


@pytest.mark.parametrize("height", [0.0, 0.5 * TOLERANCE, 1.5 * TOLERANCE, 0.25])
def test_heights_that_differ_by_rounding_alone_are_equal(height: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also about the middle between two multiples of the tolerance, where rounding would part them."""
    heights = torch.tensor([height, height, height, 0.7], dtype=torch.float64)
    heights[1] = torch.nextafter(heights[1], torch.tensor(2.0, dtype=torch.float64))
    heights[2] = torch.nextafter(heights[2], torch.tensor(-2.0, dtype=torch.float64))
    monkeypatch.setattr("cleave.split.cuts.second_vector", lambda weights: heights)
    assert spectral_order(torch.ones(4, 4), range(4)) == [3, 0, 1, 2]
