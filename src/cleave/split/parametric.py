"""The fixed split {candidates with weights} | {those without}: every criterion's control (GM-NAS, appendix B.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from cleave.net.cost import weights
from cleave.settings import Recipe
from cleave.space import Choice, Space
from cleave.split.pairwise import ComparedNode, Pairwise, nearness
from cleave.split.partition import Groups, canonical
from cleave.split.splitters import SCORED, splitter


@splitter("parametric")
class ParametricSplit(Pairwise):
    """These two groups, of whatever size, at a choice that has both. Of choices, all equal, the first is split."""

    branches = False
    parts = 2
    meaningless = ("branch", *SCORED)

    @classmethod
    def looks(cls, settings: Any) -> int:  # noqa: ANN401
        return 0

    @classmethod
    def divides(cls, space: Space) -> Sequence[Choice]:
        if space.elastic:  # whose candidates are sizes of operations that all have weights
            return []
        known = weighted(space)
        return [choice for choice in space.splittable if len(set(known[choice.name].values())) == 2]

    @classmethod
    def refuses(cls, recipe: Recipe, space: Space) -> str | None:
        if cls.divides(space):
            return None
        return f"at no choice of {space.name} do some candidates have weights and others none; use another splitter"

    @classmethod
    def compare(cls, node: ComparedNode, choice: str, numbers: Iterable[int]) -> Tensor:
        known = weighted(node.space)[choice]
        return nearness(torch.tensor([[float(known[candidate])] for candidate in node.region.allowed[choice]]))

    def cut(self, similarities: Tensor, parts: int) -> Groups:
        like_first = (similarities[0] == 0).tolist()
        return canonical([[i for i, like in enumerate(like_first) if like is side] for side in (True, False)])


@lru_cache(maxsize=8)
def weighted(space: Space) -> Mapping[str, Mapping[str, bool]]:
    """By choice, which candidates have weights of their own, normalisations aside, wherever they act."""
    known = weights(space)
    first = {choice.name: choice.candidates[0] for choice in space.choices}
    return {
        choice.name: {each: choice.name in known.learning({**first, choice.name: each}) for each in choice.candidates}
        for choice in space.choices
    }
