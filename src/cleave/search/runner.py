"""A search from a recipe to an outcome on the disk, and on from where it was interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cleave.config import load
from cleave.data.given import Given
from cleave.data.report import IMAGES, report_lines
from cleave.deploy.one import time_network
from cleave.deploy.table import open_table
from cleave.engine.engine import ONE, Engine
from cleave.engine.environment import compare, surroundings
from cleave.engine.executor import make_executor
from cleave.engine.progress import Callback, following
from cleave.errors import UserError
from cleave.extensions import check_unchanged, file_hashes
from cleave.resolve import resolve, resolve_device
from cleave.run.durable import write_json
from cleave.run.folder import LATENCY, RunFolder, create, make_folder, new_folder
from cleave.run.lock import RunLock
from cleave.run.mirror import told
from cleave.run.origin import SEARCH, Origin, check_begun, read_origin, settle
from cleave.run.reading import Shape
from cleave.run.resumable import resumable
from cleave.run.view import is_whole, view
from cleave.search.beginning import LABEL, begun, opened
from cleave.search.latency import check_unchanged_table, hash_of
from cleave.search.loop import Search
from cleave.search.problem import Problem, limited_size, open_problem
from cleave.search.searching import SearchJob
from cleave.search.stages import most_tasks, stages_of
from cleave.settings import Recipe
from cleave.space import find_space
from cleave.torch_state import cpu_threads


class ImagesFile(Shape):
    """What of a run's images.json is asked for later."""

    classes: list[Any]
    channels: int
    size: int


def start(
    recipe: Recipe, out: Path | None, callback: Callback, engine: Engine = ONE, given: Given | None = None
) -> dict[str, Any]:
    """Runs a new search in a new folder; returns the outcome with "run" and "seconds".

    `callback.stop` is asked wherever the search can be saved. `given`: images that no recipe can name.

    `engine`: who shares the work; it changes no result. More than one process of its own imports the main program
    anew, so that it needs its `if __name__ == "__main__"`.
    UserError for what the user can correct; Interrupted, with everything saved, when asked to stop.
    """
    recipe, notes = resolve(recipe, find_space(recipe.space))
    for note in notes:
        callback.say(note)
    problem = open_problem(recipe, callback, given)
    problem = opened(problem, callback.say)
    stages_of(problem)  # refuses what cannot be done with these images, before there is a folder
    for line in report_lines(problem.report):
        callback.say(line)
    name = f"{problem.space.name}-{recipe.method.name}-{recipe.split.splitter}-seed{recipe.seed}"
    path = make_folder(out) if out else new_folder(name)
    with RunLock(path), resumable(path), callback.stop:  # from now on there is something to go on with
        return go_on(create(path, recipe, environment(problem)), problem, callback, engine)


def resume(
    path: Path,
    callback: Callback,
    engine: Engine = ONE,
    device: str | None = None,
    given: Given | None = None,
    changed_extensions: bool = False,
) -> dict[str, Any]:
    """Goes on with a run, or tells its outcome again; ends as if it had never been interrupted.

    What of a finished run is not as it was written is made again where it can be. `engine` as in `start`, and not
    necessarily the one from there; `device`: another one than the recipe's, on which figures may differ.
    `changed_extensions`: even if a user's file that the recipe names is another now.
    """
    check_begun(path, SEARCH)
    if is_whole(path, lambda _: None):  # nothing is written, so that the disk may be one that takes nothing
        return view(path)
    with RunLock(path), resumable(path):
        origin = read_origin(path, SEARCH)
        settle(path, origin, callback.say)
        if is_whole(path, callback.say):
            return view(path)
        check_unchanged(origin.environment.get("extensions", {}), changed_extensions, callback.say)
        problem = reopened(path, origin, device, callback, given)
        with callback.stop:
            return go_on(RunFolder(path, origin), problem, callback, engine)


def reopened(path: Path, origin: Origin, device: str | None, callback: Callback, given: Given | None) -> Problem:
    """The problem of a run that was begun before; UserError where its images are others now."""
    recipe = recipe_of(origin, {"device": device})
    here = recipe.model_copy(update={"device": resolve_device(recipe.device)})  # it may be another machine
    problem = open_problem(here, callback, given)
    compare(origin.environment, environment(problem), recipe.data.name, path, callback)
    check_unchanged_table(origin.environment.get("latency"), recipe, path)
    return problem


def recipe_of(origin: Origin, flags: Mapping[str, Any]) -> Recipe:
    """The recipe that a run was begun with, changed by the flags that were given."""
    return load(Recipe, deepcopy(dict(origin.recipe)), (), flags)


def go_on(folder: RunFolder, problem: Problem, callback: Callback, engine: Engine) -> dict[str, Any]:
    """Runs what is left of a run that this process has locked."""
    problem = begun(problem, folder)
    recipe, stop = problem.recipe, callback.stop
    with cpu_threads(recipe.threads), following(callback, folder.path, folder.origin.recipe):
        callback.say(f"run folder: {told(folder.path)}")
        write_json(folder.path / IMAGES, problem.report)
        search = Search(problem, folder, stop, callback)
        with make_executor(
            engine, most_tasks(problem), SearchJob(problem, folder.files), stop, search.overview
        ) as executor:
            result = search.run(executor)
        if recipe.limits.latency is not None:
            time_chosen(folder.path, problem, result, callback)
        search.finish(result)
    return view(folder.path)


def time_chosen(path: Path, problem: Problem, result: Mapping[str, Any], callback: Callback) -> None:
    """Times the chosen network for real where the table is of this machine, and says so where it is above."""
    recipe = problem.recipe
    assert recipe.latency is not None, "resolving refuses a limit without a table"
    table = open_table(recipe.latency, here=False)
    try:
        table.check_here()
    except UserError as error:  # the search may have gone on on another machine
        callback.say(f"the chosen network is not timed: {error}")
        return
    asked, arch = limited_size(recipe, problem.space, problem.image, problem.classes), result["chosen"]["arch"]
    found = time_network(asked, problem.space.parse(arch), table.binding)
    write_json(path / LATENCY, asdict(found))
    most = recipe.limits.latency or 0.0
    if found.milliseconds > most:
        callback.say(
            f"the chosen network takes {found.milliseconds:.3f} ms here, above the limit of {most:.3f}: the sum of its "
            f"blocks is {result['limits']['latency']['chosen']:.3f} ms; measure again on an idle machine, or lower "
            "limits.latency"
        )


def environment(problem: Problem) -> dict[str, Any]:
    """Where a run was made, a fingerprint of the images, and how networks of the run take them (0 to 1)."""
    return {
        **surroundings(problem.recipe.device, problem.recipe.threads),
        **hash_of(problem.recipe),
        **({} if problem.begin is None else {LABEL: problem.begin.told}),
        "extensions": file_hashes(problem.recipe.extensions, problem.recipe.space.name),
        "train_images": len(problem.train),
        "held_out_images": len(problem.valid),
        "images": problem.fingerprint(),
        "classes": problem.classes,
        "mean": problem.normalise.mean.tolist(),
        "std": problem.normalise.std.tolist(),
    }
