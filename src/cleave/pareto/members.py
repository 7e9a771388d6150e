"""Architectures of every leaf under ever tighter limits, each as the leaf's method derives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from cleave.data.chance import Chance
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.net.cost import Cost, Costs
from cleave.search.evaluator import LeafEvaluator
from cleave.search.finished import FinishedRun
from cleave.search.problem import Problem
from cleave.search.schedule import schedule
from cleave.search.state import SearchCost
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch, Limited, find_space
from cleave.split import Node
from cleave.stats.accuracy import Accuracy


@dataclass(frozen=True)
class Member:
    """An architecture in its space's notation, the leaf whose weights it has, and how it does on held-out images."""

    arch: str
    leaf: str
    cost: Cost
    accuracy: Accuracy


def ladder(problem: Problem, what: str, points: int, costs: Costs) -> list[Limited]:
    """The run's space under ever tighter limits of one kind of cost, beside the recipe's own, the widest first.

    Each limit is the same share of the one before, from the most that is within the recipe's limits to the least.
    """
    space, own = find_space(problem.recipe.space), problem.recipe.limits.most
    highest = min(costs.extremes(space.parts(space.region), what)[1], own.get(what, inf))
    widest = Limited(space, costs, {**own, what: highest})
    least = widest.cost_of(widest.cheapest(space.region, what))[what]
    shares = [(least / highest) ** (step / (points - 1)) for step in range(1, points - 1)]
    return [widest, *(widest.tightened(what, each) for each in [*(highest * share for share in shares), least])]


def members(
    run: FinishedRun, spaces: Sequence[Limited], costs: Costs, stop: Stop, callback: Callback
) -> tuple[list[Member], SearchCost]:
    """What each leaf's method derives in each space, some of it several times, and what it cost to judge that."""
    found, spent, leaves = list[Member](), list[SearchCost](), run.state.searched
    for number, leaf in enumerate(leaves):
        evaluate = LeafEvaluator(restored(run, leaf), before=stop.check, after=spent.append)
        for done, space in enumerate(spaces, start=number * len(spaces)):
            callback.see(Progress(done, len(leaves) * len(spaces), leaf.label, "front"))
            if space.holds_valid(leaf.region):
                arch = derived(space, evaluate, Chance(run.problem.recipe.seed, leaf.label))
                found.append(Member(space.format(arch), leaf.label, costs.of(arch), evaluate.judge(arch)))
    return found, sum(spent, SearchCost())


def derived(space: Limited, evaluate: LeafEvaluator, chance: Chance) -> Arch:
    """As the leaf's own architecture was, of fewer."""
    method = evaluate.trainer.method
    method.space = space
    return method.derive(evaluate, chance.generator("derive"))


def restored(run: FinishedRun, leaf: Node) -> NodeTrainer:
    """A leaf as it was when its search ended."""
    trainer = NodeTrainer(run.problem, leaf, schedule(run.problem.recipe, len(leaf.path)))
    trainer.restore(run.folder.leaf(leaf.label, run.state.kept[leaf.label]))
    return trainer
