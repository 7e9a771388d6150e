"""A learning rate by complexity (DYNAS, CVPR 2025, arXiv 2503.10740): small networks, which converge sooner, anneal
sooner."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import log
from statistics import mean

from cleave.method import METHODS
from cleave.search.hooks.base import Hook, WeightStep, hook
from cleave.settings import Recipe
from cleave.space import Space


@hook("complexity-rate")
class ComplexityRate(Hook):
    """lr(a) = lr0 (1 - t/T)^g(a), g = w ln C(a) + b, in place of the cosine; C counts parameters.

    g is `most` for the least C in the node's region and 1/`most` for the largest. Of several networks in a step g is
    their mean. Steps count over what the cosine would be of; a warm-up with a rate of its own keeps it.
    """

    most = 4.0
    meaningless = ("learning_rate_min", "learning_rate_warmup")

    @classmethod
    def refuses(cls, recipe: Recipe, space: Space) -> str | None:
        if METHODS[recipe.method.name].own_rates:
            return (
                f"has no meaning with method.name={recipe.method.name}, whose phases have learning rates of their own"
            )
        return super().refuses(recipe, space)

    def rate(self, step: WeightStep, rate: float) -> float:
        schedule, steps = self.node.schedule, self.node.problem.steps_per_epoch
        if step.number < schedule.warmup * steps:
            return rate
        done = (schedule.offset - schedule.warmup + step.number / steps) / schedule.total
        exponent = mean(self.exponent(self.node.method.costs.of(arch).parameters) for arch in step.archs)
        return float(self.node.setup.settings.learning_rate * (1 - done) ** exponent)

    def exponent(self, parameters: int) -> float:
        """g of an architecture with so many."""
        return exponent(parameters, self.extremes, self.most)

    @cached_property
    def extremes(self) -> tuple[int, int]:
        """The fewest and the most parameters of what is put together in the region."""
        parts = self.node.problem.space.parts(self.node.scope.region)
        fewest, most = self.node.method.costs.extremes(parts, "parameters")
        return fewest, most


def exponent(size: float, extremes: Sequence[float], most: float) -> float:
    """w ln C + b; 1 where all sizes are the same.

    What is beyond the extremes, as a path through all edges of a cell of which architectures keep some, counts as they.
    """
    least, largest = extremes
    if least == largest:
        return 1.0
    slope = -(most - 1 / most) / (log(largest) - log(least))
    return slope * log(min(max(size, least), largest)) + 1 / most - slope * log(largest)
