"""Our networks: a supernet is trained, an evolution finds the best in it, and these are fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

from cleave.deploy.measure import MeasureRequest, measure
from cleave.design.latency import device_of, runtime_of, within
from cleave.design.scales import search_recipe
from cleave.design.trainings import Candidate, epochs_in, pace_of, train
from cleave.design.work import EVOLVE, SEARCH, TUNE, Work
from cleave.engine.engine import ONE
from cleave.evolve.question import EvolveQuestion
from cleave.evolve.runner import EVOLVED, evolve
from cleave.net.sized import Sized
from cleave.resolve import resolve
from cleave.run.origin import SEARCH as SEARCH_KIND
from cleave.run.origin import holds
from cleave.run.reading import is_there, read_json
from cleave.search import runner
from cleave.search.problem import limited_size
from cleave.settings import Recipe
from cleave.space import find_space

FEWEST_EPOCHS = {False: 10, True: 3}
"""Of a supernet, by whether its weights are pretrained: with fewer its networks mostly lose to one that is trained by
itself for as long (docs/results/journey.md)."""
MOST_EPOCHS = 200
TUNED = 2
"""Of the best that the evolution finds, how many are fine-tuned."""
SECOND = "ours 2"
ENOUGH_EPOCHS = 10
"""Of fine-tuning, from which a second network is worth more than more epochs of the first."""
FEWEST_JUDGED = 12
"""Architectures in an evolution, the least that is one."""
TABLE, ROUNDS = "blocks.json", 3
"""Of latencies of blocks, and how often each is timed: whole networks are timed as well before they count. (A run's
latency.json is of its chosen network.)"""


def our_recipe(work: Work, epochs: int) -> Recipe:
    """Of the search."""
    told, limits = work.scale, work.recipe.limits.given
    recipe = search_recipe(work.recipe, told.scale, epochs, told.batch_size, limits)
    table = str(work.path / TABLE) if "latency" in limits else None
    return recipe.model_copy(update={"latency": table})


def our_size(work: Work) -> Sized:
    """Our space at the size that was chosen."""
    told = work.scale
    asked = search_recipe(work.recipe, told.scale, 1, told.batch_size, {})
    resolved, _ = resolve(asked, find_space(asked.space))
    return limited_size(resolved, find_space(resolved.space), told.image, told.classes)


def measured(work: Work, asked: Sized) -> None:
    """The latency table of our space, where there is a limit by it."""
    file = work.path / TABLE
    if work.recipe.limits.latency is None or is_there(file):
        return
    measure(MeasureRequest(asked, device_of(work), runtime_of(work), rounds=ROUNDS), file, work.callback)


def searched(work: Work, asked: Sized) -> Path | None:
    """The folder of the finished search; None where there is no time for one."""
    scale = work.scale
    fewest = FEWEST_EPOCHS[scale.pretrained]

    def epochs_left() -> int:
        if scale.epochs(work.share(SEARCH)) >= fewest:
            measured(work, asked)
        return min(MOST_EPOCHS, scale.epochs(work.share(SEARCH)))

    epochs = work.once(SEARCH, epochs_left)
    if epochs < fewest:
        work.callback.say(
            f"no search: an epoch of the supernet takes {scale.epoch_seconds:.0f} s, and there is no time for "
            f"{fewest}; give more --time, or a smaller data.image_size"
        )
        return None
    path = work.path / "search"
    if holds(path, SEARCH_KIND):
        runner.resume(path, work.callback, given=work.given)
    else:
        runner.start(our_recipe(work, epochs), path, work.callback, ONE, work.given)
    return path


def evolved(work: Work, search: Path) -> dict[str, Any]:
    """What an evolution in the supernet finds, as `cleave evolve` tells it."""
    each = work.scale.arch_seconds
    plan: dict[str, Any] = work.once(EVOLVE, lambda: evolution_plan(work.share(EVOLVE), each))
    file = search / EVOLVED
    if is_there(file):
        return read_json(file)
    question = replace(EvolveQuestion(seed=work.recipe.seed, out=file, threads=work.recipe.threads), **plan)
    return evolve(search, question, work.callback, work.given)


def evolution_plan(seconds: float, each: float) -> dict[str, Any]:
    """How many architectures an evolution judges in about so many seconds: as many in its first generation as later
    ones add, a tenth of them to tell what its judgement is worth."""
    judged = max(FEWEST_JUDGED, int(seconds / max(each, 1e-6)))
    population = min(100, max(4, judged // 4))
    added = ceil(0.75 * population)
    return {
        "population": population,
        "generations": min(20, max(1, (judged - population) // added)),
        "check": min(30, max(5, judged // 10)),
    }


def our_candidates(search: Path, found: dict[str, Any]) -> list[Candidate]:
    """The best of the evolution with their weights, then the best of all with new ones."""
    archs = [each["arch"] for each in found["best"][:TUNED]]
    keys = {"begin.weights": "supernet", "begin.leaf": found["leaf"]}
    tuned = [
        Candidate(f"ours {number}", str(search), {**keys, "arch": arch}, ours=True)
        for number, arch in enumerate(archs, start=1)
    ]
    return [*tuned, Candidate("ours from scratch", str(search), {"begin.weights": "new", "arch": archs[0]}, ours=True)]


def tuned(work: Work, search: Path) -> list[Candidate]:
    """Those of our networks that are within the limits, trained."""
    found = [each for each in our_candidates(search, evolved(work, search)) if within(work, each)]
    if not found:
        return []

    paces = {each.name: pace_of(work, each) for each in found}
    dealt = work.once(TUNE, lambda: dealt_alike(work.share(TUNE), paces))
    chosen = [each for each in found if each.name in dealt["names"]]
    for each in chosen:
        train(work, each, dealt["epochs"])
    return chosen


def dealt_alike(seconds: float, paces: Mapping[str, float]) -> dict[str, Any]:
    """{"names", "epochs"}: all get as many epochs, one at least; the second best gets none where these are few."""
    epochs = epochs_in(seconds, sum(paces.values()))
    if epochs >= ENOUGH_EPOCHS or SECOND not in paces or len(paces) == 1:
        return {"names": list(paces), "epochs": max(1, epochs)}
    return dealt_alike(seconds, {name: pace for name, pace in paces.items() if name != SECOND})
