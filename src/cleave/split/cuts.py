"""Other ways to cut similarities into groups than the balanced minimum cut (GM-NAS, appendix B.3).

Each takes similarities [n, n], symmetric, whose diagonal is not read, and a number of parts from 1 to n, and gives
groups none of which is empty. Sizes are free. Of equally good groups the first in the order of candidates is taken;
what differs by less than `cleave.stats.ties.TOLERANCE` is equal: far less than a gradient can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import comb, factorial

import torch
from torch import Tensor

from cleave.errors import UserError
from cleave.split.partition import Groups, canonical, cut_cost, min_cut
from cleave.stats.ties import TOLERANCE, level

Cut = Callable[[Tensor, int], Groups]

LIMIT = 20_000
"""Partitions that are tried one by one: seconds, and enough for the 8 candidates of a choice of the DARTS space."""


def unconstrained_cut(similarities: Tensor, parts: int) -> Groups:
    """The smallest sum of affinities between groups, exactly: the cut that tends to split off single candidates.

    UserError for similarities that are no cosines and for more partitions than LIMIT.
    """
    weights = affinities(similarities)
    return lowest(partitions(len(weights), parts), partial(cut_cost, weights))


def normalised_cut(similarities: Tensor, parts: int) -> Groups:
    """The smallest normalised cut (Shi & Malik, 2000; von Luxburg, 2007), exactly.

    UserError for similarities that are no cosines and for more partitions than LIMIT.
    """
    weights = affinities(similarities)
    return lowest(partitions(len(weights), parts), partial(normalised_cost, weights))


def spectral_cut(similarities: Tensor, parts: int) -> Groups:
    """Spectral clustering by repeated halving (Shi & Malik, 2000): candidates are lined up by the second eigenvector
    and divided where the normalised cut is smallest.

    For more than two parts, of all groups the one is divided next whose best division leaves the smallest normalised
    cut of the whole. Unlike k-means on eigenvectors that needs no start, and two parts are no case of their own.
    UserError for similarities that are no cosines.
    """
    weights = affinities(similarities)
    groups: Groups = (tuple(range(len(weights))),)
    while len(groups) < parts:
        groups = lowest(divisions(weights, groups), partial(normalised_cost, weights))
    return groups


CUTS: dict[str, Cut] = {
    "balanced": min_cut,
    "normalised": normalised_cut,
    "spectral": spectral_cut,
    "unconstrained": unconstrained_cut,
}


def affinities(similarities: Tensor) -> Tensor:
    """Cosines in [-1, 1] as weights (1 + cosine) / 2 in [0, 1], float64, with nothing on the diagonal.

    Weights of a graph must not be negative. Distances have no scale by which they could be mapped: UserError.
    """
    values = similarities.double().clone().fill_diagonal_(0)
    assert values.shape == (len(values), len(values))
    if not bool((values.abs() <= 1 + TOLERANCE).all()):
        raise UserError("split.similarity: only the balanced cut takes distances; use cos or filter-cos for the others")
    return ((1 + values) / 2).clamp(0, 1).fill_diagonal_(0)


def normalised_cost(weights: Tensor, groups: Groups) -> float:
    """The sum over groups of cut(group, rest) / volume(group); the volume is the sum of its members' weights."""
    cost = 0.0
    for group in map(list, groups):
        inside = weights[group][:, group].sum()  # none of the volume where no members are linked
        cost += 1 - (float(inside / weights[group].sum()) if inside > 0 else 0.0)
    return cost


def lowest(tried: Iterable[Groups], cost: Callable[[Groups], float]) -> Groups:
    """The groups that cost least, of equals the first: whose candidates are in the earliest groups."""
    costs = [(cost(groups), groups) for groups in tried]
    least = min(value for value, _ in costs)
    return min((groups for value, groups in costs if value <= least + TOLERANCE), key=homes)


def homes(groups: Groups) -> list[int]:
    """The number of each candidate's group."""
    numbers = {member: number for number, group in enumerate(groups) for member in group}
    return [numbers[member] for member in sorted(numbers)]


def partitions(count: int, parts: int) -> Iterator[Groups]:
    """Every division of `count` candidates into `parts` groups; UserError where there are more than LIMIT."""
    assert 1 <= parts <= count
    if partition_count(count, parts) > LIMIT:
        raise UserError(f"{count} candidates in {parts} parts: over {LIMIT:,} partitions; use the spectral cut")
    return _partitions(count, parts)


def _partitions(count: int, parts: int) -> Iterator[Groups]:
    """The last candidate joins each group of the others in turn, or is alone."""
    if parts == count:
        yield tuple((i,) for i in range(count))
    elif parts > 0:
        last = count - 1
        for groups in _partitions(last, parts):
            for i, group in enumerate(groups):
                yield (*groups[:i], (*group, last), *groups[i + 1 :])
        for groups in _partitions(last, parts - 1):
            yield (*groups, (last,))


def partition_count(count: int, parts: int) -> int:
    """How many partitions there are (Stirling's number of the second kind)."""
    onto: int = sum((-1) ** i * comb(parts, i) * (parts - i) ** count for i in range(parts))
    return onto // factorial(parts)


def divisions(weights: Tensor, groups: Groups) -> Iterator[Groups]:
    """Each group in turn divided at each place of its line; the other groups stay."""
    for group in groups:
        others = [other for other in groups if other != group]
        line = spectral_order(weights, group)
        for place in range(1, len(line)):
            yield canonical([*others, line[:place], line[place:]])


def spectral_order(weights: Tensor, group: Sequence[int]) -> list[int]:
    """The group's members in the order of their heights on the second eigenvector, equals in their own order."""
    inner = weights[list(group)][:, list(group)]
    heights = torch.from_numpy(level(second_vector(inner).numpy()))
    return [group[i] for i in torch.argsort(heights, descending=True, stable=True).tolist()]


def second_vector(weights: Tensor) -> Tensor:
    """The second solution y [n] of (D - W) y = lambda D y, where D holds the degrees; 0 for who has no links.

    Where lambda is a multiple one, its solutions are all as good: the one is taken that points to a single member as
    much as any can, to the first such member.
    """
    roots = weights.sum(dim=1).sqrt()
    scale = torch.where(roots > 0, roots.reciprocal(), 0)
    laplacian = torch.eye(len(weights), dtype=torch.float64) - scale[:, None] * weights * scale
    # The first solution is known. Its lambda of 0, which it shares where groups have no link between them, is lifted
    # over all others, which are at most 2.
    first = roots / roots.norm().clamp(min=TOLERANCE)
    values, vectors = torch.linalg.eigh(laplacian + 3 * first[:, None] * first)
    second: Tensor = vectors[:, values <= values[0] + TOLERANCE]
    projector = second @ second.T
    lengths = projector.diagonal()
    member = int((lengths >= lengths.max() - TOLERANCE).nonzero()[0])
    return scale * projector[:, member]
