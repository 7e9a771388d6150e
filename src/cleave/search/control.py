"""The control of a search: what random architectures reach that are trained alone with the same work.

Random search with the same budget is the baseline that weight sharing has to beat (Li & Talwalkar, 2020; Yu et al.,
2020). The chosen architecture is trained in the same way beside them, so that like is compared with like.
"""

from __future__ import annotations

from dataclasses import dataclass

from cleave.data.chance import Chance
from cleave.search.problem import Problem
from cleave.search.state import State
from cleave.search.work import control_epochs, passes_done
from cleave.space import Arch
from cleave.space.sample import distinct


@dataclass(frozen=True)
class Control:
    """The chosen architecture, then the random ones, and for how many epochs each is trained alone."""

    architectures: list[Arch]
    epochs: int


def plan_control(problem: Problem, state: State) -> Control:
    """As many random valid architectures as `trust.control` asks for and the space has; nothing where it is 0."""
    count = problem.recipe.trust.control
    if count == 0:
        return Control([], 0)
    assert state.chosen.result is not None
    chosen = problem.space.parse(state.chosen.result["arch"])
    generator = Chance(problem.recipe.seed, "control").generator("architectures")
    drawn = distinct(problem.space, problem.space.region, count + 1, generator)
    others = [arch for arch in drawn if arch != chosen][:count]
    if not others:
        return Control([], 0)
    return Control([chosen, *others], control_epochs(problem, len(others), passes_done(problem, state.cost)))
