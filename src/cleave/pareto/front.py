"""`cleave front`: from a finished run to the architectures that no other beats in both accuracy and cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cleave.data.given import Given
from cleave.engine.progress import Callback
from cleave.errors import Interrupted, UserError
from cleave.files import check_free
from cleave.memory import memory_for
from cleave.net.cost import Costs
from cleave.pareto.members import Member, ladder, members
from cleave.pareto.question import FrontQuestion
from cleave.run.durable import write_json
from cleave.search.finished import FinishedRun, open_finished, read_recipe
from cleave.search.opponents import training_of
from cleave.search.problem import prices
from cleave.search.selection import interval
from cleave.search.state import SearchCost
from cleave.settings import COST_OF
from cleave.space import Limited, find_space
from cleave.torch_state import cpu_threads

FRONT = "front.json"


def find_front(path: Path, question: FrontQuestion, callback: Callback, given: Given | None = None) -> dict[str, Any]:
    """The front of a finished run, which is also written to a file.

    Returns {"run", "file", "space", "cost" (what is traded), "images", "members", "looked_at", "hypervolume", "spent",
    "next" (the command that trains the member of most accuracy), "seconds"}. Members, the cheapest first: {"arch",
    "leaf", "macs", "params", "valid_accuracy", "valid_balanced_accuracy", "interval"}, with a limit on it also
    "latency" (ms); accuracies in percent of the held-out images under the leaf's weights.
    "hypervolume": the share of the rectangle from no accuracy at the highest cost to 100 % at no cost that members
    dominate. "spent": on the search, and on the front, which is judged as the search was. UserError for what the user
    can correct; Interrupted when asked to stop: the file is then not there.
    """
    began = time.monotonic()
    recipe, file = read_recipe(path, question.flags), question.out or path / FRONT
    check_free(file)
    run = open_finished(path, recipe, callback, given)
    if question.cost == "latency" and recipe.limits.latency is None:
        raise UserError(f"--cost latency: {path} was searched without a limit on it, so that it has no table")
    if run.problem.method.alone:
        raise UserError(f"{path}: method.name={recipe.method.name} keeps no weights, by which a front could be told")
    space, what = find_space(recipe.space), COST_OF[question.cost]
    costs = prices(run.problem.recipe, space, run.problem.image, run.problem.classes)
    found, spent = looked_at(run, ladder(run.problem, what, question.points, costs), costs, callback)
    most = costs.extremes(space.parts(space.region), what)[1]
    kept = best(found, what)
    told = {
        "run": str(path),
        "file": str(file),
        "space": run.problem.space.name,
        "cost": question.cost,
        "images": len(run.problem.valid),
        "members": [member_json(member, len(run.problem.valid)) for member in kept],
        "looked_at": len({member.arch for member in found}),
        "hypervolume": hypervolume(found, what, most),
        "spent": {"search": asdict(run.state.cost), "front": asdict(spent)},
        "next": training_of(str(path), kept[-1].arch),
        "seconds": round(time.monotonic() - began, 3),
    }
    write_json(file, told)
    return told


def looked_at(
    run: FinishedRun, spaces: Sequence[Limited], costs: Costs, callback: Callback
) -> tuple[list[Member], SearchCost]:
    """All architectures that were derived, unless a signal comes, and what it cost to judge them."""
    threads = cpu_threads(run.problem.recipe.threads)
    with threads, callback.stop as stop, memory_for("the front", "search.eval_batch_size"):
        try:
            return members(run, spaces, costs, stop, callback)
        except (Interrupted, KeyboardInterrupt) as error:
            raise Interrupted("interrupted; no front was written") from error


def points(found: Sequence[Member], what: str) -> Any:  # noqa: ANN401
    """[members, 2]: what each costs, and its accuracy."""
    return np.array([[getattr(member.cost, what), member.accuracy.overall] for member in found])


def best(found: Sequence[Member], what: str) -> list[Member]:
    """Those that no other beats in both, the cheapest first; of equals the first."""
    import moocore

    kept = moocore.is_nondominated(points(found, what), maximise=[False, True])
    return sorted(
        (member for member, keep in zip(found, kept, strict=True) if keep), key=lambda each: getattr(each.cost, what)
    )


def hypervolume(found: Sequence[Member], what: str, most: int) -> float:
    """The share of what is between no accuracy at the highest cost and 100 % for nothing that they dominate."""
    import moocore

    area = moocore.hypervolume(points(found, what), ref=[most, 0], maximise=[False, True])
    return float(area) / (100 * most)


def member_json(member: Member, images: int) -> dict[str, Any]:
    return {
        "arch": member.arch,
        "leaf": member.leaf,
        "macs": member.cost.multiply_adds,
        "params": member.cost.parameters,
        **({"latency": member.cost.milliseconds} if member.cost.milliseconds else {}),
        "valid_accuracy": member.accuracy.overall,
        "valid_balanced_accuracy": member.accuracy.balanced,
        "interval": list(interval(member.accuracy.overall, images)),
    }
