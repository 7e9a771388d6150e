"""What weights are trained for, and the method that trains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cleave.data.chance import Chance
from cleave.method import Method
from cleave.search.problem import Problem
from cleave.space import Arch, Region


@dataclass(frozen=True)
class Standalone:
    """One architecture that is trained by itself: what random search does, and what results are measured against."""

    label: str
    arch: Arch

    @property
    def region(self) -> Region:
        return Region.of(self.arch)


class Scope(Protocol):
    """What weights are trained for: a region of the space, and the label that its random numbers go by."""

    @property
    def label(self) -> str: ...

    @property
    def region(self) -> Region: ...


def make_method(problem: Problem, scope: Scope, chance: Chance) -> Method:
    """The recipe's method for a part of the space, in its initial state."""
    method = problem.method(problem.recipe.method, problem.space, scope.region, chance.generator("architecture"))
    method.count_costs, method.limit_penalty = problem.costs, problem.recipe.limits.penalty
    return method
