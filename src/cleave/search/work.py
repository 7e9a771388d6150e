"""How much work a search is, in passes over a mini-batch: for the time left, not for claims."""

from __future__ import annotations

from math import prod

from cleave.method import METHODS
from cleave.search.problem import Problem
from cleave.search.schedule import schedule
from cleave.search.state import Cost
from cleave.settings import Recipe
from cleave.space import Space

EVALUATION = 0.4
"""An evaluation's share of a training pass: it has no backward half."""


def planned_passes(problem: Problem) -> int:
    """The passes of the whole search, as far as they can be told beforehand."""
    recipe, splits = problem.recipe, problem.recipe.split.splits or 0
    nodes = [nodes_at(recipe, problem.space, depth) for depth in range(splits + 1)]
    training = sum(count * _training(problem, depth) for depth, count in enumerate(nodes))
    scoring = sum(count * _scoring(problem, depth) for depth, count in enumerate(nodes[:-1]))
    return training + scoring + _evaluating(problem, nodes[-1] * _images_per_leaf(problem))


def nodes_at(recipe: Recipe, space: Space, depth: int) -> int:
    """The nodes of the tree at a depth."""
    branch = recipe.split.branch
    most = max(len(choice.candidates) for choice in space.choices)
    return prod(branch[:depth]) if isinstance(branch, list) else int(most**depth)


def _training(problem: Problem, depth: int) -> int:
    plan = schedule(problem.recipe, depth)
    twice = plan.searching and METHODS[problem.recipe.method.name].learns
    return plan.epochs * problem.steps_per_epoch * (1 + twice)


def _scoring(problem: Problem, depth: int) -> int:
    if problem.recipe.split.splitter != "gradient":
        return 0
    sizes = sorted(len(choice.candidates) for choice in problem.space.choices)
    return sum(sizes[: len(sizes) - depth]) * problem.recipe.split.batches


def _images_per_leaf(problem: Problem) -> int:
    """The held-out images that it takes to derive an architecture."""
    method = problem.recipe.method
    return METHODS[method.name].evaluations(method) * len(problem.valid)


def _evaluating(problem: Problem, images: int) -> int:
    return int(EVALUATION * images / problem.recipe.search.batch_size)


def passes_done(problem: Problem, cost: Cost) -> int:
    """The passes so far."""
    evaluated = _evaluating(problem, cost.eval_images)
    return cost.weight_steps + cost.arch_steps + cost.split_passes + evaluated
