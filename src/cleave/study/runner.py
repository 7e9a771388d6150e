"""A study from a recipe to its folder, and on from where it was interrupted.

study.yaml        what was asked for, with nothing left open
environment.json  versions, hardware, fingerprint of the images
images.json       which images are used: the classes, how many of each, what is left out and why
supernets.json    the children of each supernet
parts/LABEL/      every supernet and every tuned snapshot: checkpoints, then rows and cost
log.parquet       all rows; the same seed gives the same bytes
ledger.json       what each part cost
timing.json       the seconds that the parts took together
metrics.json, figures/, report.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from cleave.config import checked, read_yaml
from cleave.data.report import IMAGES, report_lines
from cleave.errors import Interrupted, UserError
from cleave.resolve import absolute, resolve_device, resolve_images
from cleave.run.durable import write_bytes, write_json
from cleave.run.folder import free_folder, make_folder, read_json
from cleave.run.lock import LOCK, RunLock
from cleave.run.part_folder import path_of
from cleave.search.crew import Crew, make_crew, usual_workers
from cleave.search.environment import compare, surroundings
from cleave.search.overview import Overview
from cleave.search.watch import Watcher, stop_on_signals
from cleave.space import find_space
from cleave.study.log import join, read_log, write_log
from cleave.study.notes import meaningless
from cleave.study.part import LOG, Part, StudyJob, cost_of, is_done, trainings, tunings
from cleave.study.problem import Study, open_study
from cleave.study.results import write_results
from cleave.study.settings import StudyRecipe
from cleave.yaml_text import written

RECIPE, GROUPS, ENVIRONMENT = "study.yaml", "supernets.json", "environment.json"


def start(recipe: StudyRecipe, out: Path | None, watcher: Watcher, workers: int | None = 1) -> dict[str, Any]:
    """Runs a new study in a new folder; returns its report with "folder" and "seconds".

    `workers`: the processes that share its parts, None for as many as there are cores for; they change no figure.
    UserError for what the user can mend; Interrupted, with everything saved, when asked to stop.
    """
    for note in meaningless(recipe):
        watcher.say(note)
    study = open_study(resolve(recipe), watcher=watcher)
    for line in report_lines(study.report):
        watcher.say(line)
    path = out or free_folder(name_of(study.recipe))
    make_folder(path)
    with RunLock(path):
        create(path, study)
        return go_on(path, study, watcher, workers)


def resume(path: Path, watcher: Watcher, workers: int | None = 1) -> dict[str, Any]:
    """Goes on with a study; ends as if it had never been interrupted. One that is finished is told again."""
    if not is_study(path):
        raise UserError(f"{path}: holds no study (no {RECIPE}); give the folder that `cleave study` named")
    with RunLock(path):
        recipe = read_recipe(path)
        resolve_device(recipe.device)  # it may be another machine
        study = open_study(recipe, read_json(path / GROUPS)["supernets"], watcher)
        compare(read_json(path / ENVIRONMENT), environment(study), recipe.data.name, path, watcher)
        return go_on(path, study, watcher, workers)


def is_study(path: Path) -> bool:
    return os.path.isfile(path / RECIPE)


def read_recipe(path: Path) -> StudyRecipe:
    """What a study folder was asked for."""
    return checked(StudyRecipe, read_yaml(path / RECIPE))


def resolve(recipe: StudyRecipe) -> StudyRecipe:
    """The recipe with nothing left open: places as absolute paths, the device that is there."""
    training = recipe.training
    if training.learning_rate_min > training.learning_rate:
        raise UserError(
            f"training.learning_rate_min={training.learning_rate_min}: is above "
            f"training.learning_rate={training.learning_rate}; swap them"
        )
    name, root = resolve_images(recipe.data.name, recipe.data.root)
    file = recipe.sharing.file
    changes = {
        "data": recipe.data.model_copy(update={"name": name, "root": root}),
        "sharing": recipe.sharing.model_copy(update={"file": absolute(file) if file else None}),
        "truth": absolute(recipe.truth) if recipe.truth else None,
        "device": resolve_device(recipe.device),
    }
    return recipe.model_copy(update=changes)


def create(path: Path, study: Study) -> None:
    """Puts a new study into an empty folder; UserError where there is something already."""
    own = (LOCK, GROUPS, ENVIRONMENT, IMAGES)  # those may be of a kill in here
    if any(file.name not in own for file in path.iterdir()):
        raise UserError(f"{path}: is not empty; nothing is overwritten, so give --out a new folder")
    write_json(path / ENVIRONMENT, environment(study))
    write_json(path / IMAGES, study.report)
    write_json(path / GROUPS, {"supernets": study.divided})
    write_bytes(path / RECIPE, written(study.recipe.model_dump(mode="json")).encode())


def environment(study: Study) -> dict[str, Any]:
    """Where a study was made, and a fingerprint of the images."""
    return {
        **surroundings(study.recipe.device, study.recipe.threads),
        "train_images": len(study.train),
        "judged_images": len(study.judged),
        "images": study.fingerprint(),
    }


def go_on(path: Path, study: Study, watcher: Watcher, workers: int | None) -> dict[str, Any]:
    """Does the parts that are left of a study that this process has locked, then the results."""
    torch.set_num_threads(study.recipe.threads)
    watcher.say(f"study folder: {path}")
    count = workers or usual_workers(study.recipe.device, study.recipe.threads)
    stages = [trainings(study), tunings(study)]
    parts = [part for stage in stages for part in stage]
    overview = Overview(watcher)
    with resumable(path, Interrupted), stop_on_signals() as stop:
        for stage in stages:
            left = [part for part in stage if not is_done(path, part)]
            with make_crew(count, len(left), StudyJob(study, path), stop, overview) as crew:
                perform_all(left, crew, overview)
    with resumable(path, KeyboardInterrupt):  # all parts are saved
        return conclude(path, study, parts)


@contextmanager
def resumable(path: Path, kind: type[BaseException]) -> Iterator[None]:
    """Has an interruption say how to go on."""
    try:
        yield
    except kind as error:
        raise Interrupted(f"interrupted and saved; go on with: cleave resume {quote(str(path))}") from error


def perform_all(parts: list[Part], crew: Crew[Part, int], overview: Overview) -> None:
    """Has every part done, as many at once as the crew has room for."""
    waiting, busy = list(parts), 0
    finished = 0
    while waiting or busy:
        while waiting and crew.has_room:
            crew.begin(waiting.pop(0))
            busy += 1
        part, steps = crew.finished()
        busy, finished = busy - 1, finished + steps
        overview.finish(part.label, finished)


def conclude(path: Path, study: Study, parts: list[Part]) -> dict[str, Any]:
    """The rows of all parts as one log, and everything that follows from it."""
    logs = [read_log(path_of(path, part.label) / LOG) for part in parts]
    write_log(path / LOG, join(logs, str(path / LOG), study.meta()))
    ledger = [cost_of(path, part) for part in parts]
    write_json(path / "ledger.json", {"parts": ledger})
    seconds = sum(float(str(cost["seconds"])) for cost in ledger)
    write_json(path / "timing.json", {"seconds": round(seconds, 3)})
    truth = Path(study.recipe.truth) if study.recipe.truth else None
    return {"folder": str(path), "seconds": seconds, **write_results(path, truth, study.recipe.seed)}


def name_of(recipe: StudyRecipe) -> str:
    """What the folder of a study is called."""
    space = find_space(recipe.space.name).name
    return f"study-{space}-{recipe.sharing.policy}-{recipe.training.order}-seed{recipe.seed}"
