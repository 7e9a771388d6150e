"""What architectures are expected to cost under the weights of their candidates, and what a loss becomes by that."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import log

import torch
from torch import Tensor

from cleave.net.cost import Costs
from cleave.space import Region, Space

MILLION = 10**6
LEAST = 1.1
"""Million; `mul_log` is flat below it, where its logarithm would be zero or less."""


def refused(space: Space) -> str | None:
    """Why costs are not expected in a space, for people; None where they are."""
    if len(space.parts(space.region)) == len(space.choices):
        return None
    return (
        "method.penalty adds up what all choices are expected to cost, and architectures of this space leave some out"
    )


def expected_cost(costs: Costs, region: Region, weights: Mapping[str, Tensor], what: str) -> Tensor:
    """The mean of "parameters" or "multiply_adds" where candidates are drawn by their weights, [allowed candidates].

    A scalar that can be differentiated in them (ProxylessNAS, equation 7).
    """
    total = next(iter(weights.values())).new_full((), getattr(costs.common, what))
    for table in costs.tables:
        for names in product(*(region.allowed[choice] for choice in table.choices)):
            chosen = dict(zip(table.choices, names, strict=True))
            share = [weights[choice][region.allowed[choice].index(name)] for choice, name in chosen.items()]
            total = total + getattr(table.of(chosen), what) * torch.stack(share).prod()
    return total


def mul_log(loss: Tensor, cost: Tensor, reference: float, scale: float, exponent: float) -> Tensor:
    """The loss times scale * (log cost / log reference) ** exponent, both in millions (its released code)."""
    ratio = (cost / MILLION).clamp(min=LEAST).log() / log(reference / MILLION)
    return loss * scale * ratio**exponent


def add_linear(loss: Tensor, cost: Tensor, reference: float, share: float) -> Tensor:
    """The loss plus a share of how far the cost is above its reference (its released code)."""
    return loss + share * (cost - reference) / reference
