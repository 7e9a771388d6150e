"""A search from a recipe to an outcome on the disk, and on from where it was interrupted."""

from __future__ import annotations

import platform
from pathlib import Path
from shlex import quote
from typing import Any

import numpy
import torch

import cleave
from cleave.config import load_recipe
from cleave.errors import Interrupted, UserError
from cleave.resolve import resolve
from cleave.run.folder import RunFolder, check_run, create, read_json
from cleave.run.lock import RunLock
from cleave.search.loop import Search
from cleave.search.problem import Problem, open_problem
from cleave.search.state import tree_to_json
from cleave.search.watch import Watcher, stop_on_signals
from cleave.settings import Recipe
from cleave.space import find_space


def start(recipe: Recipe, out: Path | None, watcher: Watcher) -> dict[str, Any]:
    """Runs a new search in a new folder; returns the outcome with "run" and "seconds".

    UserError for what the user can mend; Interrupted, with everything saved, when asked to stop.
    """
    recipe, notes = resolve(recipe, find_space(recipe.space.name, recipe.space.ops))
    for note in notes:
        watcher.say(note)
    problem = open_problem(recipe)
    path = out or free_folder(recipe)
    create(path, recipe, environment(problem))
    return go_on(path, problem, watcher)


def resume(path: Path, watcher: Watcher) -> dict[str, Any]:
    """Goes on with a run, or tells its outcome again; ends as if it had never been interrupted."""
    check_run(path)
    problem = open_problem(load_recipe(path / "recipe.yaml", (), {}))
    if read_json(path / "environment.json").get("images") != problem.fingerprint():
        raise UserError(f"{problem.recipe.data.name}: not the images that {path} was started with; put them back")
    return go_on(path, problem, watcher)


def go_on(path: Path, problem: Problem, watcher: Watcher) -> dict[str, Any]:
    """Runs what is left of a run."""
    assert problem.recipe.threads is not None
    torch.set_num_threads(problem.recipe.threads)
    with RunLock(path), stop_on_signals() as stop:
        folder = RunFolder(path)
        watcher.say(f"run folder: {path}")
        if (result := folder.result) is None:
            search = Search(problem, folder, stop, watcher)
            result = told(search, path)
            folder.write_tree(tree_to_json(search.state.tree))
            folder.write_seconds()
            folder.write_result(result)
        seconds = read_json(path / "timing.json")["seconds"]
    return {"run": str(path), **result, "seconds": seconds}


def told(search: Search, path: Path) -> dict[str, Any]:
    """The outcome; an interruption says how to go on."""
    try:
        return search.run()
    except Interrupted as error:
        raise Interrupted(f"interrupted and saved; go on with: cleave resume {quote(str(path))}") from error


def free_folder(recipe: Recipe) -> Path:
    """A folder under runs/ that is named after the recipe and not there yet."""
    name = f"{recipe.space.name}-{recipe.method.name}-{recipe.split.splitter}-seed{recipe.seed}"
    path, number = Path("runs") / name, 1
    while path.exists():
        number += 1
        path = Path("runs") / f"{name}-{number}"
    return path


def environment(problem: Problem) -> dict[str, Any]:
    """Where a run was made, and a fingerprint of the images."""
    cuda = problem.recipe.device.startswith("cuda")
    return {
        "cleave": cleave.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(problem.recipe.device) if cuda else "cpu",
        "threads": problem.recipe.threads,
        "train_images": len(problem.train),
        "held_out_images": len(problem.valid),
        "images": problem.fingerprint(),
    }
