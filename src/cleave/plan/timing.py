"""A few steps, timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch

from cleave.search.learner import Alone, Learner
from cleave.search.problem import Problem
from cleave.search.schedule import alone, schedule
from cleave.search.splitting import parts_at
from cleave.space import Region
from cleave.split import Node

TIMED = 3


@dataclass(frozen=True)
class Stopwatch:
    """Seconds per step of a problem, each the median of a few; `scale` makes up for a smaller batch."""

    problem: Problem
    scale: float = 1.0

    @staticmethod
    def fitting(problem: Problem, need: int, limit: float | None) -> Stopwatch:
        """One whose steps fit into `limit` bytes, where a step of the problem needs `need`."""
        search = problem.recipe.search
        share = 1.0 if limit is None or need <= limit else limit / need / 2
        batch_size = max(2, int(share * search.batch_size))
        smaller = search.model_copy(update={"batch_size": batch_size})
        recipe = problem.recipe.model_copy(update={"search": smaller})
        return Stopwatch(replace(problem, recipe=recipe), search.batch_size / batch_size)

    def step(self, depth: int) -> float:
        """A training step of a node at a depth."""
        return self.scale * timed(self._learner(depth).advance)

    def comparison(self, depth: int) -> float:
        """A forward and backward pass under one candidate."""
        learner = self._learner(depth)
        choice, allowed = next(iter(learner.place.region.allowed.items()))
        probe = next(learner.probes())
        return self.scale * timed(lambda: learner.score(choice, iter([probe]))) / len(allowed)

    def evaluation(self, depth: int) -> float:
        """One architecture on all held-out images."""
        learner = self._learner(depth)
        arch = self.problem.space.sample(learner.place.region, torch.Generator().manual_seed(0))
        return timed(lambda: learner.accuracy(arch))

    def alone(self) -> float:
        """A weight step of an architecture by itself, the median of a few random ones."""
        generator, space = torch.Generator().manual_seed(0), self.problem.space
        places = [Alone("plan", space.sample(space.region, generator)) for _ in range(TIMED)]
        return self.scale * median(timed(Learner(self.problem, place, alone(1)).advance) for place in places)

    def _learner(self, depth: int) -> Learner:
        node = Node((0,) * depth, typical_region(self.problem, depth))
        return Learner(self.problem, node, schedule(self.problem.recipe, depth))


def typical_region(problem: Problem, depth: int) -> Region:
    """A region as large as those at a depth: the first choices that can be split, each cut to its largest group."""
    whole = region = problem.space.region
    for level in range(depth):
        parts = parts_at(problem.recipe, level)
        choice = next(
            name for name, left in region.allowed.items() if left == whole.allowed[name] and len(left) >= parts
        )
        candidates = region.allowed[choice]
        size = 1 if problem.recipe.split.splitter == "exhaustive" else -(-len(candidates) // parts)
        region = region.restrict(choice, candidates[-size:])
    return region


def timed(step: Callable[[], object]) -> float:
    """Median seconds of a few calls, after one that warms up."""
    step()
    seconds = []
    for _ in range(TIMED):
        began = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return median(seconds)
