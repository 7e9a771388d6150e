"""What a search will take, from its tree and a few steps timed on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cleave.data.given import Given
from cleave.engine.progress import Callback
from cleave.free_memory import size_text
from cleave.memory import memory_for
from cleave.plan.memory import available_bytes, peak_bytes, retraining_memory, step_memory
from cleave.plan.timing import Stopwatch, some_alone
from cleave.resolve import resolve
from cleave.run.alarm import alarm_lines
from cleave.search.beginning import opened
from cleave.search.problem import Problem, open_problem
from cleave.search.stages import stages_of
from cleave.search.watching import raised_by, run_opened
from cleave.search.work import nodes_at
from cleave.settings import Recipe
from cleave.space import find_space
from cleave.torch_state import cpu_threads

MEMORY_SHARE = 0.9
"""Of the memory that is free, what a search may need before there is a warning."""


@dataclass(frozen=True)
class Phase:
    """One kind of work: `count` times `steps` at `seconds_per_step`.

    A step is one weight step, with its architecture step where there is one; in "compare" one look at one candidate,
    as a pass of a mini-batch forward and backward; in "evaluate" one architecture on all held-out images.
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
    """{"images", "sub_supernets", "networks_per_step", "phases", "steps", "seconds", "memory", "warnings"}.

    No run is written. UserError for what `cleave search` would refuse as well. Seconds are estimates: medians of a few
    steps. Where a step would not fit into memory a smaller batch is timed, and its time scaled; they are null where not
    even the weights would fit.
    """
    recipe, notes = resolve(recipe, find_space(recipe.space))
    callback = callback or Callback()
    problem = opened(open_problem(recipe, callback, given), callback.say)
    with cpu_threads(recipe.threads):
        return planned(problem, notes)


def planned(problem: Problem, notes: list[str]) -> dict[str, Any]:
    """The same of a problem at hand, with what is to be said about its recipe."""
    recipe = problem.recipe
    memory, free = step_memory(problem), available_bytes(recipe.device)
    retrained = retraining_memory(problem, some_alone(problem)) if recipe.selection.retrains else 0
    need = max(memory.of(recipe.search.batch_size), retrained)
    watch = Stopwatch.fitting(problem, memory, free and int(MEMORY_SHARE * free))
    with memory_for("a step", ", ".join(problem.smaller_by)):
        phases = plan_phases(problem, watch)
    seconds = [phase.seconds for phase in phases]
    alarms = alarm_lines(raised_by(problem, run_opened(problem)))
    return {
        "space": problem.space.name,
        "method": recipe.method.name,
        "splitter": recipe.split.splitter,
        "images": problem.report,
        "sub_supernets": nodes_at(recipe, problem.space, recipe.split.splits or 0),
        "networks_per_step": problem.method.networks_each(recipe.method, problem.space),
        "phases": [{**asdict(phase), "seconds": phase.seconds} for phase in phases],
        "steps": sum(phase.count * phase.steps for phase in phases),
        "seconds": None if None in seconds else sum(one for one in seconds if one is not None),
        "memory": {"step_bytes": need, "peak_bytes": peak_bytes(recipe.device), "available_bytes": free},
        "warnings": [*notes, *alarms, *memory_warnings(need, free, problem.smaller_by)],
    }


def plan_phases(problem: Problem, watch: Stopwatch) -> list[Phase]:
    """What the stages of a search tell, each timed on a node that stands for its level."""
    planned = [work for stage in stages_of(problem) for work in stage.planned()]
    return [
        Phase(work.name, work.count, work.epochs, work.steps, watch.seconds(work.kind, work.depth))
        for work in planned
        if work.kind is not None
    ]


def memory_warnings(need: int, free: int | None, keys: Sequence[str]) -> list[str]:
    if free is None or need <= MEMORY_SHARE * free:
        return []
    return [f"a step needs about {size_text(need)} and {size_text(free)} are free: use a smaller {', '.join(keys)}"]
