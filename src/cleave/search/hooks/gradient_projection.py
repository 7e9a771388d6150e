"""Gradient projection (Yu et al., PCGrad, NeurIPS 2020; for supernets Gong et al., NASViT, ICLR 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cleave.search.hooks.base import Gradients, Hook, WeightStep, hook
from cleave.space import Region
from cleave.train.trainer import laid_out

if TYPE_CHECKING:
    from cleave.search.trainer import NodeTrainer


@hook("gradient-projection")
class GradientProjection(Hook):
    """A network's gradient that conflicts with another one loses what of it points against that one.

    The other is the gradient of the largest network, where that teaches in the same step; else the sum of the others
    in the step; else, in steps of one network, the running mean of the gradients of all steps, weight by weight over
    those in which it ran, with a share of `decay` for what was. Both are compared on the weights that both have.
    """

    decay = 0.9

    def __init__(self, node: NodeTrainer) -> None:
        super().__init__(node)
        self.running: dict[str, Tensor] = {}

    @classmethod
    def copies(cls, networks: int, candidates: int) -> int:
        return 1 if networks == 1 else networks

    def gradients(self, step: WeightStep, each: Sequence[Gradients]) -> Sequence[Gradients]:
        if len(each) == 1:
            found = [projected(each[0], self.running)]
            self._take_in(each[0])
            return found
        if step.taught:
            return [each[0], *(projected(one, each[0]) for one in each[1:])]
        return [projected(one, added([*each[:at], *each[at + 1 :]])) for at, one in enumerate(each)]

    def _take_in(self, gradients: Gradients) -> None:
        for name, gradient in gradients.items():
            if name in self.running:
                self.running[name].lerp_(gradient, 1 - self.decay)
            else:
                self.running[name] = gradient.clone()

    def state(self) -> dict[str, Any]:
        return dict(self.running)

    def load(self, state: Mapping[str, Any]) -> None:
        weights = self.node.weights.parameters
        self.running = {name: laid_out(each, weights[name]) for name, each in state.items() if name in weights}

    def inherit(self, parent: Mapping[str, Any], parent_region: Region) -> None:
        self.load(parent)


def projected(one: Gradients, other: Gradients) -> dict[str, Tensor]:
    """g - min(0, g.o) / o.o o: what of g does not point against o, both on the weights of both."""
    common = [name for name in one if name in other]
    if not common:
        return dict(one)
    inner = torch.stack([(one[name].double() * other[name].double()).sum() for name in common]).sum()
    length = torch.stack([other[name].double().square().sum() for name in common]).sum()
    share = inner.clamp(max=0) / length.clamp(min=torch.finfo(torch.float64).tiny)
    return {**one, **{name: one[name] - (share * other[name]).to(one[name]) for name in common}}


def added(each: Sequence[Gradients]) -> dict[str, Tensor]:
    """Their sum; a weight that only some have is that of these."""
    total: dict[str, Tensor] = {}
    for gradients in each:
        for name, gradient in gradients.items():
            total[name] = total[name] + gradient if name in total else gradient
    return total
