"""What architectures cost on average that are drawn by the weights of their candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cleave.space.choice import Arch
from cleave.space.region import Region


class Alternatives(NamedTuple):
    """Of one group: places in the list of all weights [alternatives, choices], and costs [alternatives, figures]."""

    places: Tensor
    costs: Tensor


class ExpectedCosts:
    """Means of costs over architectures whose chance is proportional to the product of their candidates' weights.

    That is ProxylessNAS's equation 7, and holds also where architectures leave choices out, as in DARTS' space.
    """

    def __init__(
        self,
        groups: Sequence[tuple[Sequence[Arch], Sequence[Sequence[float]]]],
        common: Sequence[float],
        region: Region,
    ) -> None:
        """`groups`: parts of architectures, of which each has one, and their costs [alternatives, figures]."""
        listed = [(choice, candidate) for choice, allowed in region.allowed.items() for candidate in allowed]
        numbers = {pair: number for number, pair in enumerate(listed)}
        self.choices, self.common = tuple(region.allowed), torch.tensor(common, dtype=torch.float64)
        self.groups = [alternatives(archs, costs, numbers) for archs, costs in groups if len(archs)]

    def __call__(self, weights: Mapping[str, Tensor]) -> Tensor:
        """[figures] float64, differentiable in the weights, which are [allowed candidates] and above 0."""
        listed = torch.cat([weights[choice] for choice in self.choices]).double()
        logs = torch.cat([listed.clamp(min=torch.finfo(listed.dtype).tiny).log(), listed.new_zeros(1)])
        total = self.common.to(logs.device)
        for places, costs in self.groups:
            chances = logs[places.to(logs.device)].sum(dim=1).softmax(dim=0)
            total = total + chances @ costs.to(logs.device)
        return total


def alternatives(
    archs: Sequence[Arch], costs: Sequence[Sequence[float]], numbers: Mapping[tuple[str, str], int]
) -> Alternatives:
    """Shorter architectures take the last place of the list of weights, a weight of 1, for what they leave out."""
    most = max(map(len, archs))
    rows = [[numbers[pair] for pair in arch.items()] + [len(numbers)] * (most - len(arch)) for arch in archs]
    places = torch.tensor(rows, dtype=torch.long).reshape(len(archs), most)
    return Alternatives(places, torch.tensor(costs, dtype=torch.float64).reshape(len(archs), -1))
