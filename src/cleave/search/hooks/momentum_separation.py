"""Momentum separation (DYNAS, CVPR 2025, arXiv 2503.10740): networks that differ much do not share a momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from cleave.method import METHODS
from cleave.search.hooks.base import Hook, WeightStep, hook
from cleave.settings import Recipe
from cleave.space import Region, Space
from cleave.space.space import pick
from cleave.train.trainer import laid_out

if TYPE_CHECKING:
    from cleave.search.trainer import NodeTrainer

LEFT_OUT = ""
"""In place of a candidate, of an architecture that leaves the choice out."""


@hook("momentum-separation")
class MomentumSeparation(Hook):
    """One choice of the node, drawn by the seed; all weights have a momentum for each of its candidates.

    A step goes on with the momentum of the candidate that its architecture has there, and changes that alone.
    """

    def __init__(self, node: NodeTrainer) -> None:
        super().__init__(node)
        open_choices = [choice for choice, names in node.scope.region.allowed.items() if len(names) > 1]
        self.choice = pick(open_choices, node.chance.generator("momentum")) if open_choices else None
        self.kept: dict[str, dict[str, Tensor]] = {}

    @classmethod
    def refuses(cls, recipe: Recipe, space: Space) -> str | None:
        if recipe.method.momentum == 0:
            return "needs a momentum, and method.momentum=0"
        if METHODS[recipe.method.name].networks_each(recipe.method, space) > 1:
            return "needs one architecture in a weight step, and here there are several"
        return super().refuses(recipe, space)

    @classmethod
    def copies(cls, networks: int, candidates: int) -> int:
        return candidates - 1

    def before(self, step: WeightStep) -> None:
        if self.choice is not None:
            self.node.weights.hold_momentum(self.kept.get(self._candidate(step), {}))

    def after(self, step: WeightStep) -> None:
        if self.choice is not None:
            self.kept[self._candidate(step)] = self.node.weights.momentum

    def _candidate(self, step: WeightStep) -> str:
        (arch,) = step.archs
        return arch.get(self.choice or "", LEFT_OUT)

    def state(self) -> dict[str, Any]:
        return {"choice": self.choice, "kept": {name: dict(each) for name, each in self.kept.items()}}

    def load(self, state: Mapping[str, Any]) -> None:
        """Copies, of the weights that are here too."""
        weights = self.node.weights.parameters
        self.choice = state["choice"]
        self.kept = {
            candidate: {name: laid_out(each, weights[name]) for name, each in buffers.items() if name in weights}
            for candidate, buffers in state["kept"].items()
        }

    def inherit(self, parent: Mapping[str, Any], parent_region: Region) -> None:
        """The parent's choice and what it kept, if there is still something to choose there; else it begins anew."""
        allowed = self.node.scope.region.allowed.get(parent["choice"] or "", ())
        if len(allowed) > 1:
            kept = {name: each for name, each in parent["kept"].items() if name in (*allowed, LEFT_OUT)}
            self.load({"choice": parent["choice"], "kept": kept})
