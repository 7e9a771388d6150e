"""Strictly fair sampling (Chu et al., FairNAS, ICCV 2021): in every step each candidate of each choice once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch

from cleave.method.base import StepContext
from cleave.method.samplers.base import Sampler, sampler
from cleave.space import Arch, Space
from cleave.space.genes import Genes

TRIES = 50
"""Rounds that are drawn for one in which all architectures are valid."""


@sampler("fair")
class Fair(Sampler):
    """A step has as many architectures as the largest choice has candidates, and goes down the sum of their losses.

    Each choice has its candidates in a random order of its own, and architecture k has the k-th of each. The paper has
    as many candidates everywhere; a smaller choice here goes through several orders in the same step, the last one in
    part. Where an architecture leaves choices out, their candidates go without.

    A round with architectures that are not valid, above a limit for instance, is drawn again. If none of `TRIES` is
    free of them, those are left out of the best, so that a step is then as fair as the space allows.
    """

    summed = decides = True

    @classmethod
    def networks(cls, space: Space) -> int:
        return max(len(choice.candidates) for choice in space.choices)

    def draw(self, context: StepContext) -> Arch:
        return self.space.sample(self.region, context.generator)

    def step(self, paths: int, context: StepContext) -> list[Arch]:
        best: list[Arch] = []
        for _ in range(TRIES):
            valid = [arch for arch in self.round(context.generator) if arch is not None and self.space.valid(arch)]
            best = max(best, valid, key=len)
            if len(best) == self.most:
                break
        return best or [self.draw(context)]

    def round(self, generator: torch.Generator) -> list[Arch | None]:
        """Architectures that are fair together; None for candidates that fit nothing together."""
        orders = {choice: order(names, self.most, generator) for choice, names in self.region.allowed.items()}
        return [self.genes.arch({choice: names[k] for choice, names in orders.items()}, generator)
                for k in range(self.most)]  # fmt: skip

    @cached_property
    def genes(self) -> Genes:
        return Genes(self.space, self.region)

    @property
    def most(self) -> int:
        """The candidates of the region's largest choice."""
        return most(self.region.allowed)


def most(allowed: Mapping[str, Sequence[str]]) -> int:
    return max(map(len, allowed.values()))


def order(names: Sequence[str], length: int, generator: torch.Generator) -> list[str]:
    """So many of the names, in random orders one after the other: each as often as every other, or once more."""
    rounds = -(-length // len(names))
    numbers = [number for _ in range(rounds) for number in torch.randperm(len(names), generator=generator).tolist()]
    return [names[number] for number in numbers[:length]]
