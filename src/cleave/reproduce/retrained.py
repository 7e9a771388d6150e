"""What searches come to when their architectures are trained from scratch and tested, once and at the very end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from cleave.data.chance import Chance
from cleave.engine.engine import Engine
from cleave.engine.progress import Callback
from cleave.reproduce.experiment import Budget, ExperimentRow, Figures, Perform, search
from cleave.retrain import runner
from cleave.retrain.evaluate import evaluate
from cleave.retrain.recipes import load_training
from cleave.run.durable import write_bytes, write_json
from cleave.run.origin import SEARCH, read_origin
from cleave.run.reading import Shape, is_there, read_json
from cleave.run.view import view
from cleave.search.drawn import of_run
from cleave.settings import Recipe
from cleave.space import Space, find_space

CHOSEN, ANY = "chosen", "random"
"""The architecture that a search chooses, and one that was drawn without looking at anything."""
MAX = "max"
"""Of all leaves the one that tests best, which nobody can know beforehand."""
ERROR = "test error"

Wanted = Callable[[Path, Recipe], Mapping[str, str]]
"""By name the architectures of a finished search that are trained, from its folder and recipe."""
Trainings = Mapping[str, Mapping[str, Any]]
"""By budget how they are trained, as a recipe of `cleave train`."""


class Tested(Shape):
    """What is kept of a test."""

    accuracy: float = Field(ge=0, le=100)


def chosen(folder: Path, recipe: Recipe) -> Mapping[str, str]:
    """What the search chose; of random search also an architecture drawn by the seed alone."""
    found = {CHOSEN: view(folder)["chosen"]["arch"]}
    if recipe.method.name == "random":
        found[ANY] = drawn(find_space(recipe.space), recipe.seed)
    return found


def drawn(space: Space, seed: int) -> str:
    """An architecture that the seed alone decides."""
    return space.format(space.sample(space.region, Chance(seed, "reproduce").generator("random architecture")))


def every(folder: Path, recipe: Recipe) -> Mapping[str, str]:
    """Those of all leaves, by their paths."""
    return {leaf["path"]: leaf["arch"] for leaf in view(folder)["leaves"]}


def perform(
    folder: Path,
    recipe: Recipe,
    budget: Budget,
    callback: Callback,
    engine: Engine,
    *,
    wanted: Wanted,
    trainings: Trainings,
) -> float:
    """The search, a drawing of what it chose, then the trainings one after the other, each with its test."""
    seconds = search(folder, recipe, budget, callback, engine)
    write_bytes(folder.with_name(f"{folder.name}.svg"), of_run(folder, None).svg().encode())
    for name, arch in wanted(folder, recipe).items():
        seconds += trained(folder, name, arch, trainings[budget], callback)
    return seconds


def performing(wanted: Wanted, trainings: Trainings) -> Perform:
    return partial(perform, wanted=wanted, trainings=trainings)


def trained(folder: Path, name: str, arch: str, settings: Mapping[str, Any], callback: Callback) -> float:
    """Trains an architecture of a search beside its folder, and tests it; the seconds of the training."""
    path = beside(folder, name)
    recipe = load_training(folder, settings, {"arch": arch, "seed": read_origin(folder, SEARCH).recipe["seed"]})
    callback.say(f"training from scratch: {name}")
    result = runner.start_or_resume(recipe, path, callback)
    if not is_there(kept(path)):
        write_json(kept(path), {"accuracy": evaluate(path, callback)["accuracy"]})
    seconds: float = result["seconds"]
    return seconds


def beside(folder: Path, name: str) -> Path:
    """Where an architecture of a search is trained."""
    return folder.with_name(f"{folder.name}-{name.replace('/', '-')}")


def kept(path: Path) -> Path:
    """Where the test of a training is kept."""
    return path.with_name(f"{path.name}-test.json")


def error_of(folder: Path, name: str) -> float:
    """Percent of the test images that are wrong."""
    accuracy: float = read_json(kept(beside(folder, name)), Tested)["accuracy"]
    return 100 - accuracy


def of_chosen(folder: Path, row: ExperimentRow) -> Figures:
    """Of the architecture that a row is about."""
    return {ERROR: [error_of(folder, row.figure or CHOSEN)]}


def by_every_way(folder: Path, row: ExperimentRow) -> Figures:
    """Of the leaf that each way to choose takes (`cleave.search.selection`), and of the one that tests best."""
    result = view(folder)
    errors = {leaf["path"]: error_of(folder, leaf["path"]) for leaf in result["leaves"]}
    taken = {way: [errors[path]] for way, path in result["selection"]["chosen"].items() if path is not None}
    return {**taken, MAX: [min(errors.values())]}
