"""Balanced partitions one by one against trying everything, and their costs against the plain cut."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cleave.split.hypotheses import balanced, mean_links
from cleave.split.partition import balanced_partitions, canonical, cut_cost, cut_links, min_cut
from tests.reference import partition as slow

shapes = st.integers(1, 6).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))


@given(shapes)
def test_every_balanced_partition_is_there_once_and_canonical(shape: tuple[int, int]) -> None:
    found = balanced(*shape)
    assert set(found) == slow.all_balanced(*shape)
    assert len(found) == len(set(found)) == balanced_partitions(*shape)
    assert all(groups == canonical(groups) for groups in found)


@given(shapes, st.integers(0, 2**32))
def test_weights_times_similarities_are_the_mean_cut_link(shape: tuple[int, int], seed: int) -> None:
    count, parts = shape
    values = torch.randn(count, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    similarities = values + values.T
    costs = torch.einsum("hij,ij->h", mean_links(count, parts), similarities)
    for groups, cost in zip(balanced(count, parts), costs.tolist(), strict=True):
        assert cost * cut_links(groups) == pytest.approx(cut_cost(similarities, groups))
    best = balanced(count, parts)[int(costs.argmin())]
    assert cut_cost(similarities, best) == pytest.approx(cut_cost(similarities, min_cut(similarities, parts)))


def test_too_many_partitions_are_refused_before_they_are_listed() -> None:
    with pytest.raises(AssertionError):
        balanced(20, 2)
