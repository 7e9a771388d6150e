"""Balanced sampling (Efficient Few-Shot Neural Architecture Search, AAAI 2025, arXiv 2412.14678): a group of
architectures uniformly, then one of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise

import torch

from cleave.method.base import StepContext
from cleave.method.samplers.base import Sampler, sampler
from cleave.space import Arch, Space
from cleave.space.sample import ENUMERABLE, enumerate_valid
from cleave.space.space import pick

DRAWS, LEAST = 1000, 50
"""Of a region too large to list: architectures that are drawn to know its groups, and how many of them a group has at
least; smaller ones are joined with the next."""
FAR = 10**9
"""No group has such a number."""


@sampler("balanced")
class Balanced(Sampler):
    """Groups are the space's own (`Space.grouping`); those without a valid architecture in the region are none.

    Regions of up to `ENUMERABLE` architectures are listed. In larger ones architectures are drawn until one is of the
    group, for which rare groups are joined with the next: all are reached, after 20 draws on average at most.
    """

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        if space.grouping() is None:
            return f"needs groups of architectures, and the blocks of {space.name} do not tell their depth"
        return None

    def draw(self, context: StepContext) -> Arch:
        if (listed := self.listed) is not None:
            return pick(pick(listed, context.generator), context.generator)
        group = pick(self.joined, context.generator)
        while True:
            arch = self.space.sample(self.region, context.generator)
            if self.grouped(arch) in group:
                return arch

    @cached_property
    def grouped(self) -> Callable[[Arch], int]:
        """The group of an architecture."""
        found = self.space.grouping()
        assert found is not None, "it was refused"
        return found

    @cached_property
    def listed(self) -> list[list[Arch]] | None:
        """All valid architectures by their group; None of a region too large to list."""
        if self.space.count(self.region) > ENUMERABLE:
            return None
        groups = defaultdict(list)
        for arch in enumerate_valid(self.space, self.region):
            groups[self.grouped(arch)].append(arch)
        return [groups[number] for number in sorted(groups)]

    @cached_property
    def joined(self) -> Sequence[range]:
        """The numbers of each group of a large region, the same ones whenever they are asked for."""
        generator = torch.Generator().manual_seed(0)
        drawn = (self.space.sample(self.region, generator) for _ in range(DRAWS))
        return joined(Counter(map(self.grouped, drawn)), LEAST)


def joined(counts: Mapping[int, int], least: int) -> list[range]:
    """Ranges of numbers with so many in each at least, as many as there can be from below; the last is open at its end,
    the first at its beginning."""
    ends, waiting = [], 0
    for number in sorted(counts):
        waiting += counts[number]
        if waiting >= least:
            ends.append(number + 1)
            waiting = 0
    borders = [-FAR, *ends[:-1], FAR]
    return [range(low, high) for low, high in pairwise(borders)]
