"""How much work a search is, in passes over a mini-batch: for the time left, not for claims."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from cleave.search.problem import Problem
from cleave.search.schedule import schedule
from cleave.search.state import SearchCost
from cleave.settings import Recipe
from cleave.space import Space
from cleave.split.race import RaceRule
from cleave.split.splitters import SPLITTERS

RACED = 0.2
"""A race's share of the passes of the exact rule, as far as can be told before; about that was measured."""

EVALUATION = 0.4
"""An evaluation's share of a training pass: it has no backward half."""


Step = Literal["step", "comparison", "evaluation", "calibration", "mixture", "panel", "alone", "retraining"]
"""What can be timed: a training step in a node, a pass under one candidate, an architecture evaluated on all held-out
images, or only its statistics measured, a supernet evaluated, a leaf's panel, and a training step of an architecture
alone, at the search's size or as it is retrained."""


@dataclass(frozen=True)
class PlannedWork:
    """Work of one kind: `passes` over a mini-batch in all; and, where a plan tells it, `count` times `steps`.

    `kind`: what one of the steps is, None where a plan does not tell it. `depth`: of its nodes in the tree.
    """

    name: str
    passes: float
    count: int = 1
    epochs: int = 0
    steps: int = 0
    kind: Step | None = None
    depth: int = 0


def control_epochs(architectures: int, passes: int, steps_per_epoch: int) -> int:
    """The epochs for which the chosen architecture and so many random ones are trained alone.

    They share out as many passes as the search did, with at least an epoch each.
    """
    return max(1, passes // ((architectures + 1) * steps_per_epoch))


def nodes_at(recipe: Recipe, space: Space, depth: int) -> int:
    """The nodes of the tree at a depth."""
    branch, parts = recipe.split.branch, SPLITTERS[recipe.split.splitter].parts
    most = parts or max(len(choice.candidates) for choice in space.splittable)
    return prod(branch[:depth]) if isinstance(branch, list) else int(most**depth)


def training(problem: Problem, depth: int) -> int:
    """The passes by which one node at a depth is trained."""
    plan, method, settings = schedule(problem.recipe, depth), problem.method, problem.recipe.method
    if plan.searching and method.alone:
        return method.evaluated(settings, 1) * method.epochs_each(settings) * problem.steps_per_epoch
    weights = plan.epochs * problem.steps_per_epoch * method.networks_each(settings, problem.space)
    learning = method.architecture_steps(settings, plan.searched, problem.steps_per_epoch) if plan.searching else 0
    return weights + method.passes_each(settings) * learning


def looks_at(problem: Problem, depth: int) -> int:
    """The looks at candidates by which one node at a depth is split: each a pass, where a splitter needs passes."""
    kind, split = SPLITTERS[problem.recipe.split.splitter], problem.recipe.split
    sizes = sorted(len(choice.candidates) for choice in problem.space.splittable)
    sizes = sizes[: len(sizes) - depth]
    if split.rule != "race":
        return sum(sizes) * kind.looks(split)
    contenders = sizes if split.choice == "lowest" else sizes[-1:]
    return int(sum(contenders) * max(RACED * split.batches, RaceRule.first))


def comparing(problem: Problem, looks: int) -> float:
    """The passes that so many looks at candidates amount to."""
    kind, split = SPLITTERS[problem.recipe.split.splitter], problem.recipe.split
    if not kind.passes(split):
        return 0
    return looks if kind.backward else EVALUATION * looks


def held_out_batches(problem: Problem) -> int:
    return -(-len(problem.valid) // problem.recipe.search.eval_batch_size)


def evaluating(problem: Problem, images: int) -> float:
    """The passes that evaluations of `images` images amount to."""
    return EVALUATION * images / problem.recipe.search.batch_size


def passes_done(problem: Problem, cost: SearchCost) -> int:
    """The passes so far."""
    return training_passes(problem, cost) + int(evaluating(problem, cost.eval_images + cost.calibration_images))


def training_passes(problem: Problem, cost: SearchCost) -> int:
    """The same without evaluations: forward and backward passes of a mini-batch."""
    learning = problem.method.passes_each(problem.recipe.method) * cost.arch_steps
    compared = int(comparing(problem, cost.split_passes))
    return cost.weight_steps + learning + compared + cost.retrain_steps
