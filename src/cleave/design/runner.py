"""A design from beginning to end, and on from where it was interrupted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from cleave.config import load
from cleave.data.given import Given
from cleave.data.report import report_lines
from cleave.design.job import DesignJob
from cleave.design.others import check_names
from cleave.design.scales import cheapest, resolved_init
from cleave.design.settings import DesignRecipe
from cleave.design.whole import go_on
from cleave.engine.engine import ONE, Engine
from cleave.engine.environment import surroundings
from cleave.engine.executor import handed_out
from cleave.engine.job import OnlyTask
from cleave.engine.progress import Callback
from cleave.engine.slurm_cluster import end_earlier
from cleave.errors import Interrupted, UserError
from cleave.extras import need_extra
from cleave.resolve import resolve_device, resolve_images
from cleave.retrain.result import finished_trainings
from cleave.run.folder import RunFolder, create, make_folder, new_folder
from cleave.run.lock import RunLock
from cleave.run.mirror import known_as, resume_command, told
from cleave.run.origin import DESIGN, check_begun, read_origin, settle
from cleave.run.view import is_whole, view

MOST_THREADS = 8


def start(
    recipe: DesignRecipe, out: Path | None, callback: Callback, given: Given | None = None, engine: Engine = ONE
) -> dict[str, Any]:
    """Designs in a new folder; returns the outcome with "run" and "seconds". `given`: images that no recipe can name.
    `engine`: who does it, as one task.

    UserError for what the user can correct; Interrupted, with everything saved, when asked to stop.
    """
    need_extra("train", "cleave design")
    need_extra("verdict", "cleave design")
    check_given(given, engine)
    here, device = resolved(on_this_machine(recipe, engine), callback), resolve_device(recipe.device, engine.here)
    recipe = here.model_copy(update={"device": device})
    check_names(recipe)
    lines = report_lines(cheapest(here, callback, given).report)
    for line in lines:
        callback.say(line)
    path = make_folder(out) if out else new_folder(f"design-seed{recipe.seed}")
    with RunLock(path):
        folder = create(path, recipe, surroundings(here.device, recipe.threads or 1), DESIGN)
        return go_on_by(engine, folder, recipe, callback, given, lines)


def resume(path: Path, callback: Callback, given: Given | None = None, engine: Engine = ONE) -> dict[str, Any]:
    """Goes on with a design, or tells its outcome again. What was decided by the clock stays decided."""
    check_begun(path, DESIGN)
    if is_whole(path, lambda _: None, DESIGN):
        return view(path, DESIGN)
    with RunLock(path):
        origin = read_origin(path, DESIGN)
        settle(path, origin, callback.say)
        recipe = load(DesignRecipe, dict(origin.recipe), (), {})
        check_given(given, engine)
        return go_on_by(engine, RunFolder(path, origin), recipe, callback, given)


def check_given(given: Given | None, engine: Engine) -> None:
    """UserError for images that a worker cannot open by itself."""
    if given is not None and not engine.here:
        raise UserError(
            f"engine={engine.name}: its worker opens the images by itself; give the name of a set, or a folder"
        )


def on_this_machine(recipe: DesignRecipe, engine: Engine) -> DesignRecipe:
    """As it can be looked at here: a worker of an engine may have a device that this machine has not."""
    return recipe if engine.here else recipe.model_copy(update={"device": "cpu"})


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


def go_on_by(
    engine: Engine,
    folder: RunFolder,
    recipe: DesignRecipe,
    callback: Callback,
    given: Given | None,
    said: Sequence[str] = (),
) -> dict[str, Any]:
    """Has what is left of a design done, here or by a worker of an engine; its folder is locked."""
    callback.say(f"run folder: {told(folder.path)}")
    end_earlier(folder.path)
    try:
        if engine.here:
            go_on(folder, recipe, callback, given, said)
        else:
            with callback.stop:
                handed_out(engine, DesignJob(recipe, folder.path, said), OnlyTask("design"), callback)
    except (Interrupted, KeyboardInterrupt) as error:
        raise Interrupted(how_to_go_on(folder.path)) from error
    return view(folder.path, DESIGN)


def how_to_go_on(path: Path) -> str:
    """What an interruption says."""
    there = f"; the best so far: cleave export {quote(known_as(path))} --out DIR" if finished_trainings(path) else ""
    return f"interrupted and saved; go on with: {resume_command(path)}{there}"
