"""A search from a recipe to an outcome on the disk, and on from where it was interrupted."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import torch

from cleave.config import load_recipe
from cleave.data.report import IMAGES, report_lines
from cleave.errors import Interrupted
from cleave.resolve import resolve, resolve_device
from cleave.run.durable import write_json
from cleave.run.folder import RunFolder, check_run, create, free_folder, make_folder, read_json
from cleave.run.lock import RunLock
from cleave.run.view import view
from cleave.search.crew import make_crew, usual_workers
from cleave.search.environment import compare, surroundings
from cleave.search.loop import Search
from cleave.search.problem import Problem, open_problem
from cleave.search.searching import SearchJob, most_parts
from cleave.search.state import tree_to_json
from cleave.search.watch import Watcher, stop_on_signals
from cleave.settings import Recipe
from cleave.space import find_space


def start(recipe: Recipe, out: Path | None, watcher: Watcher, workers: int | None = 1) -> dict[str, Any]:
    """Runs a new search in a new folder; returns the outcome with "run" and "seconds".

    `workers`: the processes that share the work, None for as many as there are cores for; they change no result. More
    than one imports the main program anew, so that it needs its `if __name__ == "__main__"`.
    UserError for what the user can mend; Interrupted, with everything saved, when asked to stop.
    """
    recipe, notes = resolve(recipe, find_space(recipe.space.name, recipe.space.ops))
    for note in notes:
        watcher.say(note)
    problem = open_problem(recipe, watcher)
    for line in report_lines(problem.report):
        watcher.say(line)
    path = out or free_folder(name_of(recipe))
    make_folder(path)
    with RunLock(path):
        create(path, recipe, environment(problem))
        write_json(path / IMAGES, problem.report)
        return go_on(path, problem, watcher, workers)


def resume(path: Path, watcher: Watcher, workers: int | None = 1) -> dict[str, Any]:
    """Goes on with a run, or tells its outcome again; ends as if it had never been interrupted.

    `workers` as in `start`, and not necessarily as many as there.
    """
    check_run(path)
    if (path / "result.json").exists():
        return view(path)
    with RunLock(path):
        recipe = load_recipe(path / "recipe.yaml", (), {})
        resolve_device(recipe.device)  # it may be another machine
        problem = open_problem(recipe, watcher)
        compare(read_json(path / "environment.json"), environment(problem), recipe.data.name, path, watcher)
        return go_on(path, problem, watcher, workers)


def go_on(path: Path, problem: Problem, watcher: Watcher, workers: int | None) -> dict[str, Any]:
    """Runs what is left of a run that this process has locked; an interruption says how to go on."""
    torch.set_num_threads(problem.recipe.threads)
    watcher.say(f"run folder: {path}")
    folder, count = RunFolder(path), workers or usual_workers(problem.recipe.device, problem.recipe.threads)
    with stop_on_signals() as stop:
        search = Search(problem, folder, stop, watcher)
        try:
            with make_crew(count, most_parts(problem), SearchJob(problem, path), stop, search.overview) as crew:
                result = search.run(crew)
        except Interrupted as error:
            raise Interrupted(f"interrupted and saved; go on with: cleave resume {quote(str(path))}") from error
        folder.write_tree(tree_to_json(search.state.tree))
        folder.write_seconds()
        folder.write_result(result)
    return view(path)


def name_of(recipe: Recipe) -> str:
    """What the folder of a run is called."""
    return f"{recipe.space.name}-{recipe.method.name}-{recipe.split.splitter}-seed{recipe.seed}"


def environment(problem: Problem) -> dict[str, Any]:
    """Where a run was made, and a fingerprint of the images."""
    return {
        **surroundings(problem.recipe.device, problem.recipe.threads),
        "train_images": len(problem.train),
        "held_out_images": len(problem.valid),
        "images": problem.fingerprint(),
    }
