"""What a finished search says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cleave.bench.table import Table, dataset_of, trained_accuracies
from cleave.method.rsps import sampler_of
from cleave.search.beginning import begin_json
from cleave.search.problem import Problem
from cleave.search.selection import chosen_leaf, selection_json
from cleave.search.state import State
from cleave.search.trust import trust_report
from cleave.settings import COST_OF
from cleave.split import Node, label

TOLD = ("path", "arch", "valid_accuracy", "valid_balanced_accuracy", "benchmark")
"""What is repeated of the leaf that is chosen."""


def outcome(problem: Problem, state: State) -> dict[str, Any]:
    """The content of result.json; a pure function of recipe, images, table and weights that are named: it has no times.

    `chosen` is the leaf that does best on held-out images by `selection.by`, and `selection` tells the figures of every
    leaf by which it might have been chosen (`cleave.search.selection`). `guards`: what they raised, in the order of
    merging, as `cleave.guards.Alarm`. `oracle` is the one with the best test
    accuracy in the benchmark table: what a perfect choice among the leaves would have given, not a result.
    """
    leaves = [leaf_json(leaf, problem.table) for leaf in state.searched]
    recipe = problem.recipe
    chosen = chosen_leaf(recipe, state).label
    best = next(leaf for leaf in leaves if leaf["path"] == chosen)
    return {
        "space": problem.space.name,
        "method": recipe.method.name,
        "splitter": recipe.split.splitter,
        "seed": recipe.seed,
        **steps_json(problem),
        **begin_json(problem),
        "leaves": leaves,
        "splits": [split_json(node) for node in state.tree.nodes.values() if node.split is not None],
        "chosen": {key: best[key] for key in TOLD},
        "judged_by": problem.judging.told,
        "limits": limits_json(problem, best["arch"]),
        "selection": selection_json(recipe, state),
        "oracle": oracle(leaves, dataset_of(recipe.data.name)) if problem.table else None,
        "cost": asdict(state.cost),
        "trust": trust_report(problem, state),
        "guards": [asdict(each) for each in state.raised],
    }


def steps_json(problem: Problem) -> dict[str, Any]:
    """What weight steps did otherwise than usual, if so."""
    sampler, _ = sampler_of(problem.method, problem.recipe.method)
    hooks = list(problem.recipe.search.hooks)
    return {**({} if sampler == "uniform" else {"sampler": sampler}), **({"hooks": hooks} if hooks else {})}


def limits_json(problem: Problem, arch: str) -> dict[str, Any] | None:
    """What the chosen architecture costs and may cost at most, by the recipe's keys; None without limits."""
    given = problem.recipe.limits.given
    if not given:
        return None
    cost = problem.space.cost_of(problem.space.parse(arch))
    return {key: {"most": most, "chosen": cost[COST_OF[key]]} for key, most in given.items()}


def leaf_json(node: Node, table: Table | None) -> dict[str, Any]:
    assert node.result is not None
    return {
        "path": label(node.path),
        "region": {choice: list(allowed) for choice, allowed in node.region.allowed.items()},
        "arch": node.result["arch"],
        "valid_accuracy": node.result["valid_accuracy"],
        "valid_balanced_accuracy": node.result["valid_balanced_accuracy"],
        "benchmark": trained_accuracies(node.result["arch"], table),
    }


def split_json(node: Node) -> dict[str, Any]:
    """A split with its cut and similarities, null where nothing was scored."""
    assert node.split is not None
    score = node.split.scores.get(node.split.choice)
    return {
        "leaf": label(node.path),
        "choice": node.split.choice,
        "groups": [list(group) for group in node.split.groups],
        "cut": score.cut if score else None,
        "candidates": list(node.split.candidates),
        "similarities": score.similarities if score else None,
    }


def oracle(leaves: list[dict[str, Any]], dataset: str) -> dict[str, Any]:
    """The leaf that the table would choose."""
    best = max(leaves, key=lambda leaf: leaf["benchmark"][dataset]["test"])
    return {"dataset": dataset, **{key: best[key] for key in TOLD}}
