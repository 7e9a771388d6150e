"""What guards are told of a search, before its first step and where its weights rank architectures later."""

from __future__ import annotations

from dataclasses import asdict

from cleave.data.chance import Chance
from cleave.guards import RunOpened, Watch
from cleave.run.alarm import Alarm
from cleave.search.judging import Judging
from cleave.search.problem import Problem
from cleave.space import find_space


def run_opened(problem: Problem) -> RunOpened:
    """Before the first step."""
    recipe, method = problem.recipe, problem.method
    held = problem.stream(problem.valid, Chance(recipe.seed, "root"), "held")
    return RunOpened(
        report=problem.report,
        held_out=problem.valid,
        validation=held.indices if method.learns and not method.alone else None,
        ranked_by=problem.judging.kind,
        asked=asked_statistics(problem),
    )


def asked_statistics(problem: Problem) -> str:
    """By which the method or the space would have architectures judged."""
    return problem.method.statistics or find_space(problem.recipe.space).statistics


def raised_by_ranking(problem: Problem, judging: Judging) -> list[dict[str, str]]:
    """What guards say of ranking the architectures of a finished search so, as `cleave.run.alarm.Alarm`."""
    return raised_by(problem, RunOpened(ranked_by=judging.kind, asked=asked_statistics(problem)))


def raised_by(problem: Problem, run: RunOpened) -> list[dict[str, str]]:
    """What guards would say of such a run."""
    found = list[Alarm]()
    Watch(problem.recipe.guards.off, found.append).look(run)
    return [asdict(each) for each in found]
