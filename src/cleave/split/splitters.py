"""Splitters: what divides a node of the tree. Each works with every method and every space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cleave.space import Region
from cleave.space.space import pick
from cleave.split.partition import Groups, at_random, cut_cost, cut_links, each_alone, min_cut
from cleave.split.tree import Score, Split

Scorer = Callable[[str], Tensor]
"""The similarities [candidates, candidates] of a choice's candidates in the node at hand."""

Racer = Callable[[Sequence[str], int], Mapping[str, Tensor]]
"""The similarities found in a race of choices to be cut into so many parts."""


@dataclass(frozen=True)
class Situation:
    """A node about to be split in `parts`: its region and its unsplit choices.

    `score` measures a choice, `race` several against each other. `generator` is the node's own.
    """

    region: Region
    unsplit: Sequence[str]
    parts: int
    score: Scorer
    race: Racer
    generator: torch.Generator


Chooser = Callable[[Situation], list[str]]
"""The choices in contention: of several the one is split that cuts the least similarity per link."""


def lowest_cut(situation: Situation) -> list[str]:
    """Every choice that can be split (GM-NAS, section 3.4)."""
    return splittable(situation)


def any_choice(situation: Situation) -> list[str]:
    """An unsplit choice that has enough candidates, uniformly."""
    return [pick(splittable(situation), situation.generator)]


@dataclass(frozen=True)
class GivenChoice:
    """The same choice in every node of a level."""

    name: str

    def __call__(self, situation: Situation) -> list[str]:
        return [self.name]


def splittable(situation: Situation) -> list[str]:
    """The unsplit choices that have a candidate for each part."""
    allowed = situation.region.allowed
    return [choice for choice in situation.unsplit if len(allowed[choice]) >= situation.parts]


ROUNDING = 1e-12
"""What is closer, relatively, differs by the rounding of float64 sums alone: as in `cleave.split.partition`."""


class Splitter(ABC):
    """Divides one choice of a node into groups."""

    @abstractmethod
    def split(self, situation: Situation) -> Split:
        """The division of the node at hand."""


@dataclass(frozen=True)
class Exhaustive(Splitter):
    """Every candidate of the choice by itself (few-shot NAS, Zhao et al. 2021)."""

    chooser: Chooser

    def split(self, situation: Situation) -> Split:
        (choice,) = self.chooser(situation)
        candidates = situation.region.allowed[choice]
        return Split(choice, candidates, named(each_alone(len(candidates)), candidates))


@dataclass(frozen=True)
class Random(Splitter):
    """Balanced groups drawn at random (GM-NAS, table 1)."""

    chooser: Chooser

    def split(self, situation: Situation) -> Split:
        (choice,) = self.chooser(situation)
        candidates = situation.region.allowed[choice]
        groups = at_random(len(candidates), situation.parts, situation.generator)
        return Split(choice, candidates, named(groups, candidates))


@dataclass(frozen=True)
class GradientMatching(Splitter):
    """The balanced groups that cut the least gradient similarity; every splittable choice is scored."""

    chooser: Chooser

    def split(self, situation: Situation) -> Split:
        similarities = {choice: situation.score(choice) for choice in splittable(situation)}
        return lowest(self.chooser(situation), similarities, situation)


@dataclass(frozen=True)
class Racing(Splitter):
    """The same by a race: only choices in contention are scored, each as far as it may still win."""

    chooser: Chooser

    def split(self, situation: Situation) -> Split:
        contenders = self.chooser(situation)
        return lowest(contenders, situation.race(contenders, situation.parts), situation)


def lowest(contenders: Sequence[str], similarities: Mapping[str, Tensor], situation: Situation) -> Split:
    """The contender whose best partition cuts the least similarity per link, with the scores of all that were compared.

    Per link, since choices may differ in their number of candidates; where they do not, it is the lowest sum.
    """
    allowed, parts = situation.region.allowed, situation.parts
    scores = {choice: best_groups(allowed[choice], values, parts) for choice, values in similarities.items()}
    choice = first_lowest({name: scores[name].mean_link for name in contenders})
    return Split(choice, scores[choice].candidates, scores[choice].groups, scores)


def first_lowest(costs: Mapping[str, float]) -> str:
    """The name of the lowest cost, the first of those that are equal but for rounding (`ROUNDING`, relative)."""
    least = min(costs.values())
    return next(name for name, cost in costs.items() if cost - least <= ROUNDING * max(1.0, abs(least)))


def best_groups(candidates: Sequence[str], similarities: Tensor, parts: int) -> Score:
    """The minimum balanced cut of a choice's similarities."""
    groups = min_cut(similarities, parts)
    cut = cut_cost(similarities, groups)
    links = cut_links(groups)
    return Score(tuple(candidates), similarities.tolist(), named(groups, candidates), cut, cut / links)


def named(groups: Groups, candidates: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of positions as groups of names."""
    return tuple(tuple(candidates[i] for i in group) for group in groups)
