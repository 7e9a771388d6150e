"""What is done in a design, from what is known of it to its outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from cleave.data.given import Given
from cleave.design.advice import advise
from cleave.design.decide import chosen_of, exported, facts, ordered, verdict_on
from cleave.design.others import first_round, long_round
from cleave.design.ours import our_size, searched, tuned
from cleave.design.scales import chosen_scale, test_images
from cleave.design.settings import DesignRecipe
from cleave.design.work import SCALE, Overall, Work
from cleave.engine.environment import surroundings
from cleave.engine.progress import Callback
from cleave.errors import Interrupted, UserError
from cleave.run.folder import RunFolder


def go_on(
    folder: RunFolder, recipe: DesignRecipe, callback: Callback, given: Given | None, said: Iterable[str]
) -> None:
    """Does what is left of a design whose folder is locked. `said`: lines that need not be said again."""
    known = (folder.newest(callback.say).meta["search"] or {}).get("known", {})
    overall = Overall(callback, folder, recipe.time, said)
    work = Work(recipe, folder, overall, given, dict(known))
    try:
        result = designed(work, overall)
    except (Interrupted, KeyboardInterrupt):
        work.save()
        raise
    folder.finish(work.record(), result, {})


def designed(work: Work, overall: Overall) -> dict[str, Any]:
    """The content of result.json."""
    overall.begin("measuring")
    made = work.once("environment", lambda: surroundings(work.recipe.device, work.recipe.threads or 1))
    work.once(SCALE, lambda: asdict(chosen_scale(work)))
    work.once("test", lambda: test_images(work))
    asked = our_size(work)
    advise(work)
    overall.begin("networks of others, for a start")
    others = first_round(work, asked)
    overall.begin("our supernet")
    search = searched(work, asked)
    if search is not None:
        overall.begin("our best")
    ours = [] if search is None else tuned(work, search)
    if others:
        overall.begin("the best of the others, for longer")
    candidates = [*ours, *others, *long_round(work, others)]
    if not candidates:
        raise UserError(f"--time {work.recipe.time:g}s: not even an epoch of the smallest network fits; give more")
    overall.begin("the export and the verdict")
    listed, chosen = ordered(work, candidates), chosen_of(work, candidates)
    card = work.once("export", lambda: exported(work, chosen))
    verdict = work.once("verdict", lambda: verdict_on(work, listed))
    networks = work.once("networks", lambda: [facts(work, each, verdict) for each in listed])
    return {
        "data": work.recipe.data.name,
        "seed": work.recipe.seed,
        "time": work.recipe.time,
        "scale": asdict(work.scale),
        "limits": work.recipe.limits.model_dump(mode="json"),
        "search": None if search is None else search.name,
        "networks": networks,
        "chosen": chosen.name,
        "chosen_by": "held-out images",
        "verdict": verdict,
        "export": card,
        "environment": made,
    }
