"""What a loss becomes by what architectures are expected to cost."""

from __future__ import annotations

from math import log

from torch import Tensor

from cleave.net.cost import Costs
from cleave.space import Region, Space
from cleave.space.expected import ExpectedCosts

UNITS = {"multiply_adds": 10**6, "parameters": 10**6, "milliseconds": 1}
"""By figure of a cost, in what `mul_log` counts it: millions or ones."""
LEAST = 1.1
"""Such units; `mul_log` is flat below it, where its logarithm would be zero or less."""


def expected(costs: Costs, space: Space, region: Region, what: str) -> ExpectedCosts:
    """The mean of a figure of `cleave.net.cost.Cost` as a function of the candidates' weights."""
    groups = [
        ([arch for arch, _ in group], [[getattr(cost, what)] for _, cost in group])
        for group in costs.groups(space.parts(region))
    ]
    return ExpectedCosts(groups, [getattr(costs.common, what)], region)


def mul_log(loss: Tensor, cost: Tensor, reference: float, scale: float, exponent: float, unit: float = 10**6) -> Tensor:
    """The loss times scale * (log cost / log reference) ** exponent, both in a unit: millions of multiply-adds, or
    milliseconds (its released code)."""
    ratio = (cost / unit).clamp(min=LEAST).log() / log(reference / unit)
    return loss * scale * ratio**exponent


def add_linear(loss: Tensor, cost: Tensor, reference: float, share: float) -> Tensor:
    """The loss plus a share of how far the cost is above its reference (its released code)."""
    return loss + share * (cost - reference) / reference
