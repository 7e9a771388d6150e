"""Evolution of architectures, as in a trained Once-for-All network (Cai et al., ICLR 2020, and its released code).

The best of a population are parents. They stay, and the rest are new children: half of them mutants, half of them
crossed. Children that are not valid, or cost more than a limit allows, are thrown away and made again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from cleave.method.base import Evaluate
from cleave.space import Arch, Region, Space
from cleave.space.genes import Genes
from cleave.space.sample import distinct
from cleave.space.space import pick

TRIES = 100
"""Children that are made for one place in a generation, and then as many architectures drawn, before it stays empty."""


@dataclass(frozen=True)
class Plan:
    """How long and by what an evolution goes.

    population: architectures of a generation, its parents included. generations: after the first one, which is drawn.
    parents, mutants: shares of the population that are kept, and of the new ones that are mutants; the others are
    crossed. mutation: the chance of each choice of a mutant to be drawn anew.
    """

    population: int = 100
    generations: int = 500
    parents: float = 0.25
    mutants: float = 0.5
    mutation: float = 0.1

    @property
    def kept(self) -> int:
        """How many parents there are."""
        return min(self.population, max(1, round(self.parents * self.population)))

    @property
    def most(self) -> int:
        """How many architectures are judged at most."""
        return self.population + self.generations * (self.population - self.kept)


@dataclass
class Evolution:
    """An evolution under way; all that it has learned is in its `state_dict`.

    `scores` are of all architectures judged so far, as their space writes them, in their order: the parents are the
    best of them, since what was better than all of a population was never dropped from it. `sizes`: how many each
    generation judged; `history`: the best score after each. `past`: those whose scores were given up by `renew`. No
    architecture is proposed twice.
    """

    space: Space
    region: Region
    plan: Plan
    scores: dict[str, float] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    history: list[float] = field(default_factory=list)
    past: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.genes = Genes(self.space, self.region)

    @property
    def done(self) -> bool:
        """Whether all generations are judged, or the last one found nothing new."""
        return len(self.sizes) > self.plan.generations or 0 in self.sizes

    @property
    def best(self) -> Arch:
        """That with the highest score; of equals the one that was judged first."""
        return self.parents[0]

    @property
    def parents(self) -> list[Arch]:
        """Those of the next generation, the best first."""
        return [self.space.parse(text) for text, _ in self.ranked[: self.plan.kept]]

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Architectures, as their space writes them, with their scores, the best first."""
        return sorted(self.scores.items(), key=lambda each: -each[1])

    def next(self, generator: torch.Generator) -> list[Arch]:
        """The next generation's new architectures, which all differ and were never proposed.

        Fewer than there is room for where hardly any others are allowed.
        """
        if not self.sizes:
            return distinct(self.space, self.region, self.plan.population, generator)
        parents, room = self.parents, self.plan.population - self.plan.kept
        mutants = round(self.plan.mutants * room)
        found: dict[str, Arch] = {}
        for number in range(room):
            make = self._mutant if number < mutants or len(parents) == 1 else self._crossed
            child = self._new(partial(make, parents, generator), found, generator)
            if child is None:
                break
            found[self.space.format(child)] = child
        return list(found.values())

    def tell(self, archs: Sequence[Arch], scores: Sequence[float]) -> None:
        """The scores of the next generation, higher for better ones."""
        self.sizes.append(len(archs))
        self.scores |= {self.space.format(arch): score for arch, score in zip(archs, scores, strict=True)}
        self.history.append(max(self.scores.values()))

    def renew(self, scores: Sequence[float]) -> None:
        """From here on architectures are judged by other weights: these are the scores of the parents by them.

        Those of all others, which are not comparable any more, are given up.
        """
        parents = map(self.space.format, self.parents)
        renewed = dict(zip(parents, scores, strict=True))
        self.past |= self.scores.keys()
        self.scores = renewed

    def _mutant(self, parents: Sequence[Arch], generator: torch.Generator) -> Arch | None:
        return self.genes.mutant(pick(parents, generator), self.plan.mutation, generator)

    def _crossed(self, parents: Sequence[Arch], generator: torch.Generator) -> Arch | None:
        one, other = torch.randperm(len(parents), generator=generator)[:2].tolist()
        return self.genes.cross(parents[one], parents[other], generator)

    def _new(
        self, make: Callable[[], Arch | None], found: Mapping[str, Arch], generator: torch.Generator
    ) -> Arch | None:
        """A child that is valid and new; after `TRIES` of them one that is drawn; None where that finds none."""
        for source in (make, lambda: self.space.sample(self.region, generator)):
            for _ in range(TRIES):
                child = source()
                if child is None or not self.space.valid(child):
                    continue
                text = self.space.format(child)
                if not any(text in known for known in (self.scores, self.past, found)):
                    return child
        return None

    def state_dict(self) -> dict[str, Any]:
        lists = {"sizes": list(self.sizes), "history": list(self.history), "past": sorted(self.past)}
        return {"scores": dict(self.scores), **lists}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.scores, self.sizes = dict(state["scores"]), list(state["sizes"])
        self.history, self.past = list(state["history"]), set(state["past"])


def evolved(space: Space, region: Region, plan: Plan, evaluate: Evaluate, generator: torch.Generator) -> Arch:
    """The best on all held-out images that an evolution finds."""
    evolution = Evolution(space, region, plan)
    while not evolution.done:
        children = evolution.next(generator)
        evolution.tell(children, evaluate.many(children))
    return evolution.best
