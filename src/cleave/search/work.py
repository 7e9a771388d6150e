"""How much work a search is, in passes over a mini-batch: for the time left, not for claims."""

from __future__ import annotations

from math import prod

from cleave.search.problem import Problem
from cleave.search.schedule import schedule
from cleave.search.splitting import splitter_of
from cleave.search.state import SearchCost
from cleave.settings import Recipe
from cleave.space import Space
from cleave.split.race import RaceRule

RACED = 0.2
"""A race's share of the passes of the exact rule, as far as can be told before; about that was measured."""

EVALUATION = 0.4
"""An evaluation's share of a training pass: it has no backward half."""


def planned_passes(problem: Problem) -> int:
    """The passes of the whole search with its control, as far as they can be told beforehand."""
    search = planned_search_passes(problem)
    return search + _control(problem, search) + _evaluating(problem, _measured_images(problem))


def planned_search_passes(problem: Problem) -> int:
    """The passes of the search itself."""
    recipe, splits = problem.recipe, problem.recipe.split.splits or 0
    nodes = [nodes_at(recipe, problem.space, depth) for depth in range(splits + 1)]
    training = sum(count * _training(problem, depth) for depth, count in enumerate(nodes))
    scoring = sum(count * scored_passes(problem, depth) for depth, count in enumerate(nodes[:-1]))
    return training + scoring + _evaluating(problem, nodes[-1] * _images_per_leaf(problem))


def _control(problem: Problem, search: int) -> int:
    count = problem.recipe.trust.control
    return (count + 1) * control_epochs(problem, count, search) * problem.steps_per_epoch if count else 0


def _measured_images(problem: Problem) -> int:
    """Held-out images that the panels and the control are evaluated on."""
    recipe, trust = problem.recipe, problem.recipe.trust
    leaves = nodes_at(recipe, problem.space, recipe.split.splits or 0)
    epochs = 0 if problem.method.alone else min(trust.panel_epochs, recipe.search.epochs)
    panels = leaves * epochs * trust.panel * min(trust.panel_images, len(problem.valid))
    return panels + (trust.control + 1 if trust.control else 0) * len(problem.valid)


def control_epochs(problem: Problem, architectures: int, passes: int) -> int:
    """The epochs for which the chosen architecture and so many random ones are trained alone.

    They share out as many passes as the search did, with at least an epoch each.
    """
    return max(1, passes // ((architectures + 1) * problem.steps_per_epoch))


def nodes_at(recipe: Recipe, space: Space, depth: int) -> int:
    """The nodes of the tree at a depth."""
    branch = recipe.split.branch
    most = max(len(choice.candidates) for choice in space.choices)
    return prod(branch[:depth]) if isinstance(branch, list) else int(most**depth)


def _training(problem: Problem, depth: int) -> int:
    plan, method, settings = schedule(problem.recipe, depth), problem.method, problem.recipe.method
    if plan.searching and method.alone:
        return trained_alone(problem) * method.epochs_each(settings) * problem.steps_per_epoch
    weights = plan.epochs * problem.steps_per_epoch * method.paths_each(settings)
    learning = method.architecture_steps(settings, plan.epochs, problem.steps_per_epoch) if plan.searching else 0
    return weights + method.passes * learning


def scored_passes(problem: Problem, depth: int) -> int:
    """The passes by which one node at a depth is split."""
    if not splitter_of(problem.recipe).scores:
        return 0
    sizes = sorted(len(choice.candidates) for choice in problem.space.choices)
    split, sizes = problem.recipe.split, sizes[: len(sizes) - depth]
    if split.rule != "race":
        return sum(sizes) * split.batches
    contenders = sizes if split.choice == "lowest" else sizes[-1:]
    return int(sum(contenders) * max(RACED * split.batches, RaceRule.first))


def _images_per_leaf(problem: Problem) -> int:
    """The held-out images that it takes to derive an architecture."""
    return -(-evaluated_batches(problem) * len(problem.valid) // held_out_batches(problem))


def evaluated_batches(problem: Problem) -> int:
    """The held-out batches that a leaf's architectures are shown, all together."""
    return problem.method.evaluated(problem.recipe.method, held_out_batches(problem))


def held_out_batches(problem: Problem) -> int:
    return -(-len(problem.valid) // problem.recipe.search.eval_batch_size)


def trained_alone(problem: Problem) -> int:
    """The architectures of a leaf that a method trains one by one."""
    return problem.method.evaluated(problem.recipe.method, 1)


def _evaluating(problem: Problem, images: int) -> int:
    return int(EVALUATION * images / problem.recipe.search.batch_size)


def passes_done(problem: Problem, cost: SearchCost) -> int:
    """The passes so far."""
    return training_passes(problem, cost) + _evaluating(problem, cost.eval_images)


def training_passes(problem: Problem, cost: SearchCost) -> int:
    """The same without evaluations: forward and backward passes of a mini-batch."""
    return cost.weight_steps + problem.method.passes * cost.arch_steps + cost.split_passes
