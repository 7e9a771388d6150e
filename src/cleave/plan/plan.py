"""What a search will take, from its tree and a few steps timed on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from cleave.data.given import Given
from cleave.engine.progress import Callback
from cleave.memory import memory_for
from cleave.plan.memory import available_bytes, peak_bytes, size_text, step_memory
from cleave.plan.timing import Stopwatch
from cleave.resolve import resolve
from cleave.search.problem import Problem, open_problem
from cleave.search.schedule import schedule
from cleave.search.work import (
    control_epochs,
    evaluated_batches,
    held_out_batches,
    nodes_at,
    planned_search_passes,
    scored_passes,
    trained_alone,
)
from cleave.settings import Recipe
from cleave.space import find_space
from cleave.torch_state import cpu_threads

MEMORY_SHARE = 0.9
"""Of the memory that is free, what a search may need before there is a warning."""


@dataclass(frozen=True)
class Phase:
    """One kind of work: `count` times `steps` at `seconds_per_step`.

    A step is one weight step, with its architecture step where there is one; in "compare" one forward and backward
    pass of a mini-batch under one candidate, in "evaluate" one architecture on all held-out images.
    """

    name: str
    count: int
    epochs: int
    steps: int
    seconds_per_step: float | None

    @property
    def seconds(self) -> float | None:
        return None if self.seconds_per_step is None else self.count * self.steps * self.seconds_per_step


def plan_search(recipe: Recipe, callback: Callback | None = None, given: Given | None = None) -> dict[str, Any]:
    """{"images", "sub_supernets", "phases", "steps", "seconds", "memory", "warnings"}; no run is written.

    UserError for what `cleave search` would refuse as well. Seconds are estimates: medians of a few steps. Where a
    step would not fit into memory a smaller batch is timed, and its time scaled; they are null where not even the
    weights would fit.
    """
    recipe, notes = resolve(recipe, find_space(recipe.space))
    problem = open_problem(recipe, callback, given)
    with cpu_threads(recipe.threads):
        return planned(problem, notes)


def planned(problem: Problem, notes: list[str]) -> dict[str, Any]:
    """The same of a problem at hand, with what is to be said about its recipe."""
    recipe = problem.recipe
    memory, free = step_memory(problem), available_bytes(recipe.device)
    need = memory.of(recipe.search.batch_size)
    watch = Stopwatch.fitting(problem, memory, free and int(MEMORY_SHARE * free))
    with memory_for("a step", "search.batch_size, search.eval_batch_size, space.channels or space.cells"):
        phases = plan_phases(problem, watch)
    return {
        "space": problem.space.name,
        "method": recipe.method.name,
        "splitter": recipe.split.splitter,
        "images": problem.report,
        "sub_supernets": nodes_at(recipe, problem.space, recipe.split.splits or 0),
        "phases": [{**asdict(phase), "seconds": phase.seconds} for phase in phases],
        "steps": sum(phase.count * phase.steps for phase in phases),
        "seconds": total(phase.seconds for phase in phases),
        "memory": {"step_bytes": need, "peak_bytes": peak_bytes(recipe.device), "available_bytes": free},
        "warnings": [*notes, *memory_warnings(need, free)],
    }


def total(seconds: Iterable[float | None]) -> float | None:
    """The sum; None where one is not known."""
    known = list(seconds)
    return None if None in known else sum(one for one in known if one is not None)


def plan_phases(problem: Problem, watch: Stopwatch) -> list[Phase]:
    """The phases in their order, each timed on a node that stands for its level."""
    levels = range((problem.recipe.split.splits or 0) + 1)
    return [*(phase for depth in levels for phase in level_phases(problem, depth, watch)), *control(problem, watch)]


def level_phases(problem: Problem, depth: int, watch: Stopwatch) -> list[Phase]:
    """Training, splitting and evaluation of the nodes at a depth."""
    recipe, plan = problem.recipe, schedule(problem.recipe, depth)
    count, per_epoch = nodes_at(recipe, problem.space, depth), problem.steps_per_epoch
    if plan.searching and problem.method.alone:
        trials, epochs = count * trained_alone(problem), problem.method.epochs_each(recipe.method)
        return [Phase("train alone", trials, epochs, epochs * per_epoch, watch.alone())]
    phases = []
    if plan.epochs:
        name = "search" if plan.searching else f"warm-up {depth + 1}"
        phases.append(Phase(name, count, plan.epochs, plan.epochs * per_epoch, watch.step(depth)))
    if plan.searching:
        evaluations = -(-evaluated_batches(problem) // held_out_batches(problem))
        phases.append(Phase("evaluate", count, 0, evaluations, watch.evaluation(depth)))
    elif passes := scored_passes(problem, depth):
        phases.append(Phase(f"compare {depth + 1}", count, 0, passes, watch.comparison(depth)))
    return phases


def control(problem: Problem, watch: Stopwatch) -> list[Phase]:
    """The architectures that are trained alone beside the search."""
    count = problem.recipe.trust.control
    if not count:
        return []
    epochs = control_epochs(problem, count, planned_search_passes(problem))
    return [Phase("control", count + 1, epochs, epochs * problem.steps_per_epoch, watch.alone())]


def memory_warnings(need: int, free: int | None) -> list[str]:
    if free is None or need <= MEMORY_SHARE * free:
        return []
    return [
        f"a step needs about {size_text(need)} and {size_text(free)} are free: use a smaller search.batch_size, "
        "space.channels or space.cells"
    ]
