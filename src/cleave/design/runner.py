"""A design from beginning to end, and on from where it was interrupted."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

from cleave.config import load
from cleave.data.given import Given
from cleave.data.report import report_lines
from cleave.design.advice import advise
from cleave.design.decide import chosen_of, exported, facts, ordered, verdict_on
from cleave.design.others import check_names, first_round, long_round
from cleave.design.ours import our_size, searched, tuned
from cleave.design.scales import cheapest, chosen_scale, resolved_init, test_images
from cleave.design.settings import DesignRecipe
from cleave.design.work import SCALE, Overall, Work
from cleave.engine.environment import surroundings
from cleave.engine.progress import Callback
from cleave.errors import Interrupted, UserError
from cleave.extras import need_extra
from cleave.resolve import resolve_device, resolve_images
from cleave.retrain.result import finished_trainings
from cleave.run.folder import RunFolder, create, make_folder, new_folder
from cleave.run.lock import RunLock
from cleave.run.mirror import told
from cleave.run.origin import DESIGN, check_begun, read_origin, settle
from cleave.run.view import is_whole, view

MOST_THREADS = 8


def start(recipe: DesignRecipe, out: Path | None, callback: Callback, given: Given | None = None) -> dict[str, Any]:
    """Designs in a new folder; returns the outcome with "run" and "seconds". `given`: images that no recipe can name.

    UserError for what the user can correct; Interrupted, with everything saved, when asked to stop.
    """
    need_extra("train", "cleave design")
    need_extra("verdict", "cleave design")
    recipe = resolved(recipe, callback)
    check_names(recipe)
    lines = report_lines(cheapest(recipe, callback, given).report)
    for line in lines:
        callback.say(line)
    path = make_folder(out) if out else new_folder(f"design-seed{recipe.seed}")
    with RunLock(path):
        folder = create(path, recipe, surroundings(recipe.device, recipe.threads or 1), DESIGN)
        return go_on(folder, recipe, callback, given, lines)


def resume(path: Path, callback: Callback, given: Given | None = None) -> dict[str, Any]:
    """Goes on with a design, or tells its outcome again. What was decided by the clock stays decided."""
    check_begun(path, DESIGN)
    if is_whole(path, lambda _: None, DESIGN):
        return view(path, DESIGN)
    with RunLock(path):
        origin = read_origin(path, DESIGN)
        settle(path, origin, callback.say)
        recipe = load(DesignRecipe, dict(origin.recipe), (), {})
        return go_on(RunFolder(path, origin), recipe, callback, given)


def resolved(recipe: DesignRecipe, callback: Callback) -> DesignRecipe:
    """The recipe with nothing left open but what the clock decides."""
    name, root = resolve_images(recipe.data.name, recipe.data.root)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    init, notes = resolved_init(recipe)
    for note in notes:
        callback.say(note)
    return recipe.model_copy(
        update={
            "init": init,
            "data": recipe.data.model_copy(update={"name": name, "root": root}),
            "device": resolve_device(recipe.device),
            "threads": recipe.threads or min(cores, MOST_THREADS),
        }
    )


def go_on(
    folder: RunFolder, recipe: DesignRecipe, callback: Callback, given: Given | None, said: Iterable[str] = ()
) -> dict[str, Any]:
    """Does what is left of a design whose folder is locked. `said`: lines that need not be said again."""
    known = (folder.newest(callback.say).meta["search"] or {}).get("known", {})
    callback.say(f"run folder: {told(folder.path)}")
    overall = Overall(callback, folder, recipe.time, said)
    work = Work(recipe, folder, overall, given, dict(known))
    try:
        result = designed(work, overall)
    except (Interrupted, KeyboardInterrupt) as error:
        work.save()
        raise Interrupted(how_to_go_on(folder.path)) from error
    folder.finish(work.record(), result, {})
    return view(folder.path, DESIGN)


def how_to_go_on(path: Path) -> str:
    """What an interruption says."""
    there = f"; the best so far: cleave export {quote(str(path))} --out DIR" if finished_trainings(path) else ""
    return f"interrupted and saved; go on with: cleave resume {quote(str(path))}{there}"


def designed(work: Work, overall: Overall) -> dict[str, Any]:
    """The content of result.json."""
    overall.begin("measuring")
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
    }
