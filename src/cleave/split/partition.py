"""Ways to divide the candidates of a choice into groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb, factorial

import torch
from torch import Tensor

from cleave.errors import UserError

Groups = tuple[tuple[int, ...], ...]
"""Disjoint, covering groups of candidate positions, each group and the list of groups in ascending order."""

LIMIT = 5_000_000


def min_cut(similarities: Tensor, parts: int) -> Groups:
    """The balanced partition whose cut links have the smallest sum of similarities, exactly (GM-NAS, eq. 3).

    `similarities` is symmetric [n, n]; its diagonal is not read. Balanced: group sizes floor(n / parts) to
    ceil(n / parts), so every such partition cuts equally many links and negative similarities need no care.
    Of equal cuts the first in the order of candidates is taken.
    UserError where there are too many partitions to search exactly.
    """
    count = len(similarities)
    assert similarities.shape == (count, count)
    assert 1 <= parts <= count
    if balanced_partitions(count, parts) > LIMIT:
        raise UserError(f"{count} candidates in {parts} parts: over {LIMIT:,} balanced partitions; use fewer")
    return _Search(similarities, parts).best()


def cut_cost(similarities: Tensor, groups: Groups) -> float:
    """The sum of similarities over the links between different groups."""
    pairs = combinations(groups, 2)
    return float(sum(similarities[i, j].item() for a, b in pairs for i in a for j in b))


def cut_links(groups: Groups) -> int:
    """The number of links between different groups."""
    return sum(len(a) * len(b) for a, b in combinations(groups, 2))


def each_alone(count: int) -> Groups:
    """Every candidate by itself (few-shot NAS)."""
    return tuple((i,) for i in range(count))


def at_random(count: int, parts: int, generator: torch.Generator) -> Groups:
    """A balanced partition, uniformly among those with the larger groups anywhere."""
    order = torch.randperm(count, generator=generator)
    return canonical([part.tolist() for part in order.tensor_split(parts)])


def canonical(groups: Sequence[Sequence[int]]) -> Groups:
    """The same partition with groups and their members in ascending order."""
    return tuple(sorted(tuple(sorted(group)) for group in groups))


def group_sizes(count: int, parts: int) -> list[int]:
    """The sizes of a balanced partition, the larger first."""
    return [count // parts + (i < count % parts) for i in range(parts)]


def balanced_partitions(count: int, parts: int) -> int:
    """How many balanced partitions there are."""
    ways, left = 1, count
    for size in group_sizes(count, parts):
        ways, left = ways * comb(left, size), left - size
    larger = count % parts
    return ways // (factorial(larger) * factorial(parts - larger))


class _Search:
    """Depth-first search with a bound: candidates are placed in order, and a branch that already cuts more
    than the best whole partition is left. Similarities are first shifted to be at least zero, which adds the
    same to every balanced partition and makes the cut among those placed a lower bound."""

    def __init__(self, similarities: Tensor, parts: int) -> None:
        values = similarities.double()
        count = len(values)
        off_diagonal = values[~torch.eye(count, dtype=torch.bool)]
        lowest = float(off_diagonal.min()) if count > 1 else 0.0
        self.links: list[list[float]] = (values - lowest).tolist()
        self.count, self.parts = count, parts
        self.smaller, self.larger = count // parts, count % parts
        self.tolerance = 1e-12 * max(1.0, float(off_diagonal.abs().max())) if count > 1 else 0.0
        self.lowest_cut = float("inf")
        self.found: Groups = ()

    def best(self) -> Groups:
        self._place(0, [], 0.0)
        return self.found

    def _place(self, item: int, groups: list[list[int]], cut: float) -> None:
        if cut > self.lowest_cut - self.tolerance:
            return
        if item == self.count:
            self.lowest_cut, self.found = cut, tuple(tuple(group) for group in groups)
            return
        links = self.links[item]
        to_all = sum(links[:item])
        for target in self._open(item, groups):
            added = to_all - sum(links[other] for other in target)
            target.append(item)
            if len(target) == 1:
                groups.append(target)
            self._place(item + 1, groups, cut + added)
            target.pop()
            if not target:
                groups.pop()

    def _open(self, item: int, groups: list[list[int]]) -> Iterator[list[int]]:
        """The groups that may take the next item, and a new one, so that the rest can still be balanced."""
        full_large = sum(len(group) > self.smaller for group in groups)
        for group in list(groups):
            if len(group) < self.smaller or (len(group) == self.smaller and full_large < self.larger):
                yield group
        if len(groups) < self.parts:
            yield []
