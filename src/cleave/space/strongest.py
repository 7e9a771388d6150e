"""Architectures in the order of their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from math import prod

from cleave.space.choice import Arch


def strongest_first(parts: Sequence[Sequence[Arch]], strengths: Mapping[str, Mapping[str, float]]) -> Iterator[Arch]:
    """What `Space.parts` lists, put together, the largest product of strengths first; of equals the first.

    No strength is negative. What was not asked for is not worked out.
    """
    ranked = [ranking(part, strengths) for part in parts]
    heap = [(-value(ranked, ranks), ranks) for ranks in [(0,) * len(ranked)] if all(ranked)]
    while heap:
        _, ranks = heappop(heap)
        yield {
            choice: candidate
            for part, rank in zip(ranked, ranks, strict=True)
            for choice, candidate in part[rank][1].items()
        }
        for weaker in followers(ranks):
            if all(rank < len(part) for part, rank in zip(ranked, weaker, strict=True)):
                heappush(heap, (-value(ranked, weaker), weaker))


def ranking(part: Sequence[Arch], of: Mapping[str, Mapping[str, float]]) -> list[tuple[float, Arch]]:
    """The alternatives of one part with the product of their weights, the strongest first; of equals the first."""
    weighed = [(prod(of[choice][candidate] for choice, candidate in arch.items()), arch) for arch in part]
    return sorted(weighed, key=lambda pair: -pair[0])


def value(ranked: Sequence[Sequence[tuple[float, Arch]]], ranks: Sequence[int]) -> float:
    return prod(part[rank][0] for part, rank in zip(ranked, ranks, strict=True))


def followers(ranks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The next weaker ones, each of which follows nothing else: they go on where the last change was."""
    last = max((i for i, rank in enumerate(ranks) if rank), default=0)
    for i in range(last, len(ranks)):
        yield (*ranks[:i], ranks[i] + 1, *ranks[i + 1 :])
