"""All balanced partitions of a choice, and what each costs as a linear function of the similarities."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from cleave.split.partition import Groups, balanced_partitions, cut_links, group_sizes

LIMIT = 20_000
"""Partitions that are followed one by one: each has a row of numbers for every probe."""


def balanced(count: int, parts: int) -> list[Groups]:
    """Every balanced partition once, canonical; there must be no more than LIMIT."""
    assert 1 <= parts <= count
    assert balanced_partitions(count, parts) <= LIMIT
    return sorted(_divide(tuple(range(count)), group_sizes(count, parts)))


def _divide(left: tuple[int, ...], sizes: list[int]) -> Iterator[Groups]:
    """The first one left goes with others into a group of each size there is; the rest are divided alike."""
    if not sizes:
        yield ()
        return
    first, *others = left
    for size in set(sizes):
        other_sizes = [*sizes]
        other_sizes.remove(size)
        for mates in combinations(others, size - 1):
            rest = tuple(item for item in others if item not in mates)
            for groups in _divide(rest, other_sizes):
                yield ((first, *mates), *groups)


def mean_links(count: int, parts: int) -> Tensor:
    """[partitions, count, count], float64: the sum over it times the similarities is a partition's cost per cut link.

    Only links i < j weigh, as the similarities are symmetric and their diagonal does not count.
    """
    return torch.stack([_weights(count, groups) for groups in balanced(count, parts)])


def _weights(count: int, groups: Groups) -> Tensor:
    home = torch.empty(count, dtype=torch.int64)
    for number, group in enumerate(groups):
        home[list(group)] = number
    cut = (home[:, None] != home).triu(diagonal=1).double()
    return cut / max(1, cut_links(groups))
