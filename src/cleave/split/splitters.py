"""Splitters: what divides a node of the tree. Each works with every method and every space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from cleave.registry import Registry
from cleave.settings import Recipe, SplitSettings
from cleave.space import Choice, Layout, Region, Space
from cleave.space.space import pick
from cleave.split.partition import Groups, at_random, cut_cost, cut_links, each_alone, min_cut
from cleave.split.tree import Score, Split

Scorer = Callable[[str], Tensor]
"""The similarities [candidates, candidates] of a choice's candidates in the node at hand."""

Racer = Callable[[Sequence[str], int], Mapping[str, Tensor]]
"""The similarities found in a race of choices to be cut into so many parts."""


@dataclass(frozen=True)
class SplitRequest:
    """A node about to be split in `parts`: its region and its unsplit choices.

    `score` measures a choice, `race` several against each other. `generator` is the node's own.
    """

    region: Region
    unsplit: Sequence[str]
    parts: int
    score: Scorer
    race: Racer
    generator: torch.Generator


Cutter = Callable[[Tensor, int], Groups]
"""Similarities [candidates, candidates] and a number of parts -> groups."""

Chooser = Callable[[SplitRequest], list[str]]
"""The choices in contention: of several the one is split that cuts the least similarity per link."""


def lowest_cut(request: SplitRequest) -> list[str]:
    """Every choice that can be split (GM-NAS, section 3.4)."""
    return splittable(request)


def any_choice(request: SplitRequest) -> list[str]:
    """An unsplit choice that has enough candidates, uniformly."""
    return [pick(splittable(request), request.generator)]


@dataclass(frozen=True)
class GivenChoice:
    """The same choice in every node of a level."""

    name: str

    def __call__(self, request: SplitRequest) -> list[str]:
        return [self.name]


def splittable(request: SplitRequest) -> list[str]:
    """The unsplit choices that have a candidate for each part."""
    allowed = request.region.allowed
    return [choice for choice in request.unsplit if len(allowed[choice]) >= request.parts]


ROUNDING = 1e-12
"""What is closer, relatively, differs by the rounding of float64 sums alone: as in `cleave.split.partition`."""


SCORED = ("similarity", "average", "batches", "rule", "enable", "shared")
"""The keys of `split` that say how candidates are compared by gradients."""
CHOOSERS: dict[str, Chooser] = {"lowest": lowest_cut, "random": any_choice}


class Splitter(ABC):
    """Divides one choice of a node into groups.

    A new splitter is one class: its facts, and `split`. Where recipes may say more of it than of others, its
    `settings_class` is a subclass of `SplitSettings`. One that compares candidates is a `cleave.split.Pairwise`.
    """

    settings_class: type[SplitSettings] = SplitSettings
    """What a recipe may say about it."""

    splits = 2
    """How often the space is split where the recipe does not say."""

    branches = True
    """Whether a recipe says in how many groups (`split.branch`); else there are `parts`."""

    parts: ClassVar[int | None] = None
    """The groups of each of its splits, where recipes do not say; None: every candidate is a group by itself."""

    scores = False
    """Whether it compares candidates."""

    single = False
    """Whether its supernets run single architectures alone, which all train the same weights."""

    backward = True
    """Whether a pass by which it compares candidates goes backward too."""

    meaningless: tuple[str, ...] = SCORED
    """The keys of `split` that say nothing to it."""

    def __init__(self, chooser: Chooser) -> None:
        self.chooser = chooser

    @classmethod
    def of(cls, settings: SplitSettings, depth: int) -> Splitter:
        """The one for the nodes at a depth of the tree, from resolved settings."""
        return cls(chooser_at(settings, depth))

    @classmethod
    def looks(cls, settings: Any) -> int:  # noqa: ANN401
        """How often it looks at each candidate of a choice, to compare them; each time has a number, from 0 on."""
        return int(settings.batches) if cls.scores else 0

    @classmethod
    def passes(cls, settings: Any) -> int:  # noqa: ANN401
        """The passes of a mini-batch that this takes: one for each look, unless a splitter says otherwise.

        0: it looks at no weights, so that a node is not trained for it first.
        """
        return cls.looks(settings)

    @classmethod
    def divides(cls, space: Space) -> Sequence[Choice]:
        """The choices that it can divide."""
        return space.splittable

    @classmethod
    def refuses(cls, recipe: Recipe, space: Space) -> str | None:
        """What it needs that is not there, for people; None where it works."""
        return None

    @classmethod
    def resolved(cls, recipe: Recipe, space: Space) -> SplitSettings:
        """Its settings with nothing left open of what it alone has."""
        return recipe.split

    @classmethod
    def supernet(cls, settings: Any, layout: Layout) -> Layout:  # noqa: ANN401
        """What the supernets of all nodes look like, by the layout of the space's networks: here the same."""
        return layout

    @abstractmethod
    def split(self, request: SplitRequest) -> Split:
        """The division of the node at hand."""


SPLITTERS: Registry[type[Splitter]] = Registry("split.splitter")

SplitterClass = TypeVar("SplitterClass", bound=type[Splitter])


def splitter(name: str, *aliases: str) -> Callable[[SplitterClass], SplitterClass]:
    """Registers a splitter under the name by which recipes refer to it."""
    return SPLITTERS.named(name, *aliases)


def chooser_at(settings: SplitSettings, depth: int) -> Chooser:
    """What chooses among the choices of a node at a depth."""
    choice = settings.choice
    return GivenChoice(choice[depth]) if isinstance(choice, list) else CHOOSERS[choice or "random"]


@splitter("none", "one-shot")
class Unsplit(Splitter):
    """One supernet for the whole space."""

    splits = 0
    branches = False
    meaningless = ("splits", "branch", "choice", "restart", *SCORED)

    def split(self, request: SplitRequest) -> Split:
        raise AssertionError("nothing is split")


@splitter("exhaustive", "few-shot")
class Exhaustive(Splitter):
    """Every candidate of the choice by itself (few-shot NAS, Zhao et al. 2021)."""

    splits = 1
    branches = False
    meaningless = ("branch", *SCORED)

    def split(self, request: SplitRequest) -> Split:
        (choice,) = self.chooser(request)
        candidates = request.region.allowed[choice]
        return Split(choice, candidates, named(each_alone(len(candidates)), candidates))


@splitter("random")
class Random(Splitter):
    """Balanced groups drawn at random (GM-NAS, table 1)."""

    def split(self, request: SplitRequest) -> Split:
        (choice,) = self.chooser(request)
        candidates = request.region.allowed[choice]
        groups = at_random(len(candidates), request.parts, request.generator)
        return Split(choice, candidates, named(groups, candidates))


def lowest(
    contenders: Sequence[str], similarities: Mapping[str, Tensor], request: SplitRequest, cut: Cutter = min_cut
) -> Split:
    """The contender whose best partition cuts the least similarity per link, with the scores of all that were compared.

    Per link, since choices may differ in their number of candidates; where they do not, it is the lowest sum.
    """
    allowed, parts = request.region.allowed, request.parts
    scores = {choice: best_groups(allowed[choice], values, parts, cut) for choice, values in similarities.items()}
    choice = first_lowest({name: scores[name].mean_link for name in contenders})
    return Split(choice, scores[choice].candidates, scores[choice].groups, scores)


def first_lowest(costs: Mapping[str, float]) -> str:
    """The name of the lowest cost, the first of those that are equal but for rounding (`ROUNDING`, relative)."""
    least = min(costs.values())
    return next(name for name, cost in costs.items() if cost - least <= ROUNDING * max(1.0, abs(least)))


def best_groups(candidates: Sequence[str], similarities: Tensor, parts: int, cut: Cutter = min_cut) -> Score:
    """The groups into which a choice's similarities are cut: by the minimum balanced cut unless another is given."""
    groups = cut(similarities, parts)
    cost = cut_cost(similarities, groups)
    links = cut_links(groups)
    return Score(tuple(candidates), similarities.tolist(), named(groups, candidates), cost, cost / links)


def named(groups: Groups, candidates: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of positions as groups of names."""
    return tuple(tuple(candidates[i] for i in group) for group in groups)
