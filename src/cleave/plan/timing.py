"""A few steps, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from statistics import mean, median

import torch

from cleave.data.images import Images
from cleave.plan.memory import StepMemory
from cleave.retrain.trainer import RetrainTrainer
from cleave.search.evaluator import LeafEvaluator
from cleave.search.matching import Matcher
from cleave.search.problem import Problem
from cleave.search.retraining import retraining
from cleave.search.schedule import alone, parts_at, schedule
from cleave.search.scope import Standalone
from cleave.search.stability import panel
from cleave.search.trainer import NodeTrainer
from cleave.search.work import Step
from cleave.space import Region
from cleave.split import Node
from cleave.split.splitters import SPLITTERS

TIMED = 3


@dataclass(frozen=True)
class Stopwatch:
    """Seconds per step of a problem, each the median of a few; `scale` makes up for a smaller batch.

    `fits`: whether there is memory for any step at all; without it nothing is timed, and every time is None.
    """

    problem: Problem
    scale: float = 1.0
    fits: bool = True

    @staticmethod
    def fitting(problem: Problem, memory: StepMemory, limit: int | None) -> Stopwatch:
        """One whose steps fit into `limit` bytes."""
        search = problem.recipe.search
        fit = search.batch_size if limit is None else max(0, limit - memory.of(0)) // memory.per_image
        batch_size = max(2, min(search.batch_size, fit))
        smaller = search.model_copy(update={"batch_size": batch_size})
        recipe = problem.recipe.model_copy(update={"search": smaller})
        return Stopwatch(replace(problem, recipe=recipe), search.batch_size / batch_size, fits=fit >= 2)

    def seconds(self, kind: Step, depth: int) -> float | None:
        """One step of a kind of planned work."""
        match kind:
            case "step":
                return self.step(depth)
            case "comparison":
                return self.comparison(depth)
            case "evaluation":
                return self.evaluation(depth)
            case "calibration":
                return self.calibration(depth)
            case "mixture":
                return self.mixture(depth)
            case "panel":
                return self.panel(depth)
            case "alone":
                return self.alone()
            case "retraining":
                return self.retraining()

    def step(self, depth: int) -> float | None:
        """A training step of a node at a depth, the mean of those with and without an architecture step."""
        if not self.fits:
            return None
        trainer = self._trainer(depth)
        learning = [trainer.learns_at(step) for step in range(trainer.steps)]
        seconds = {kind: timed(partial(again, trainer, cycle(some_of(learning, kind)))) for kind in set(learning)}
        return self.scale * mean(seconds[kind] for kind in learning)

    def comparison(self, depth: int) -> float | None:
        """One look at one candidate of a choice: a pass, where a splitter needs passes."""
        if not self.fits:
            return None
        trainer = self._trainer(depth)
        choice, allowed = next(iter(trainer.scope.region.allowed.items()))
        matcher = Matcher(trainer)
        return self.scale * timed(lambda: matcher.score(choice, [0])) / len(allowed)

    def evaluation(self, depth: int) -> float | None:
        """One architecture on all held-out images, no statistics measured."""
        return self._evaluation(self._by_batch(), depth, self.problem.valid)

    def calibration(self, depth: int) -> float | None:
        """The statistics of one architecture measured, and a few images judged."""
        few = self.problem.valid.take(torch.arange(2, device=self.problem.valid.labels.device))
        return self._evaluation(self, depth, few)

    def _evaluation(self, watch: Stopwatch, depth: int, images: Images) -> float | None:
        if not self.fits:
            return None
        trainer = watch._trainer(depth)
        arch = self.problem.space.sample(trainer.scope.region, torch.Generator().manual_seed(0))
        evaluator = LeafEvaluator(trainer)
        return timed(lambda: evaluator.accuracy(arch, images))

    def _by_batch(self) -> Stopwatch:
        """The same problem, whose architectures have no statistics of their own."""
        search = self.problem.recipe.search.model_copy(update={"statistics": "batch"})
        recipe = self.problem.recipe.model_copy(update={"search": search})
        return replace(self, problem=replace(self.problem, recipe=recipe))

    def mixture(self, depth: int) -> float | None:
        """A whole supernet on all held-out images."""
        if not self.fits:
            return None
        return timed(LeafEvaluator(self._trainer(depth)).mixture)

    def panel(self, depth: int) -> float | None:
        """A leaf's panel, once; what is done for the first one alone counts in part."""
        if not self.fits:
            return None
        trainer = self._trainer(depth)
        return mean(seconds_of(lambda: panel(trainer)) for _ in range(TIMED))

    def alone(self) -> float | None:
        """A weight step of an architecture by itself, the median of a few random ones."""
        if not self.fits:
            return None
        trainers = [NodeTrainer(self.problem, scope, alone(1)) for scope in some_alone(self.problem)]
        return self.scale * median(timed(trainer.advance) for trainer in trainers)

    def retraining(self) -> float | None:
        """The same as networks are retrained."""
        if not self.fits:
            return None
        trainers = [RetrainTrainer(retraining(self.problem, scope, 1)) for scope in some_alone(self.problem)]
        return median(timed(trainer.advance) for trainer in trainers)

    def _trainer(self, depth: int) -> NodeTrainer:
        node = Node((0,) * depth, typical_region(self.problem, depth))
        return NodeTrainer(self.problem, node, schedule(self.problem.recipe, depth))


def some_alone(problem: Problem) -> list[Standalone]:
    """A few random architectures."""
    generator, space = torch.Generator().manual_seed(0), problem.space
    return [Standalone("plan", space.sample(space.region, generator)) for _ in range(TIMED)]


def some_of(learning: Sequence[bool], kind: bool) -> list[int]:
    """The first steps of a kind, one for each time that is taken: where paths are drawn each runs another one."""
    return list(islice((step for step, learns in enumerate(learning) if learns is kind), 1 + TIMED))


def again(trainer: NodeTrainer, steps: Iterator[int]) -> None:
    """The next of some steps of a trainer, whatever it has done."""
    trainer.weights.step = next(steps)
    trainer.advance()


def typical_region(problem: Problem, depth: int) -> Region:
    """A region as large as those at a depth: the first choices that can be split, each cut to its largest group."""
    whole = region = problem.space.region
    for level in range(depth):
        parts = parts_at(problem.recipe, level)
        choice = next(
            name for name, left in region.allowed.items() if left == whole.allowed[name] and len(left) >= parts
        )
        candidates = region.allowed[choice]
        kind = SPLITTERS[problem.recipe.split.splitter]
        size = -(-len(candidates) // parts) if kind.branches or kind.parts else 1
        region = region.restrict(choice, candidates[-size:])
    return region


def timed(step: Callable[[], object]) -> float:
    """Median seconds of a few calls, after one that warms up."""
    step()
    return median(seconds_of(step) for _ in range(TIMED))


def seconds_of(step: Callable[[], object]) -> float:
    """Of one call."""
    began = time.perf_counter()
    step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began
