"""A study from a recipe to its folder, and on from where it was interrupted.

study.yaml        what was asked for, with nothing left open
environment.json  versions, hardware, fingerprint of the images
images.json       which images are used: the classes, how many of each, what is left out and why
supernets.json    the children of each supernet
checkpoints/      what the study was begun as
parts/LABEL/      every supernet and every tuned snapshot: checkpoints, then (in done/) rows and cost; of a supernet
                  events.jsonl, the mean and best accuracy after each epoch
log.parquet       all rows; the same seed gives the same bytes
ledger.json       what each task cost
timing.json       the seconds that the tasks took together
metrics.json, figures/, report.html
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from cleave.config import checked, load
from cleave.data.report import IMAGES, report_lines
from cleave.engine.engine import ONE, Engine
from cleave.engine.environment import compare, surroundings
from cleave.engine.executor import Executor, make_executor
from cleave.engine.overview import Overview
from cleave.engine.progress import Callback, following
from cleave.errors import UserError
from cleave.extensions import check_unchanged, file_hashes
from cleave.places import absolute
from cleave.resolve import resolve_data, resolve_device
from cleave.run.durable import json_bytes, write_bytes, write_json
from cleave.run.folder import TIMING, make_folder, new_folder
from cleave.run.generations import Generations, Record
from cleave.run.lock import RunLock
from cleave.run.origin import CHECKPOINTS, STUDY, Origin, begin, check_begun, newest_meta, read_origin, settle
from cleave.run.outcome import altered, hashes_of
from cleave.run.reading import Shape, shaped
from cleave.run.resumable import resumable
from cleave.space import find_space
from cleave.study.analysis.metrics_report import report
from cleave.study.record.log import join, log_bytes, read_log
from cleave.study.record.notes import meaningless
from cleave.study.record.problem import Study, open_study
from cleave.study.record.settings import StudyRecipe
from cleave.study.record.task import LOG, StudyJob, StudyTask, trainings, tunings
from cleave.study.record.truth import read_truth
from cleave.study.telling.figures import Subject, draw, save
from cleave.study.telling.page import read_made, write_page
from cleave.torch_state import cpu_threads

GROUPS, LEDGER = "supernets.json", "ledger.json"


class Groups(Shape):
    """supernets.json"""

    supernets: list[list[str]]


def start(recipe: StudyRecipe, out: Path | None, callback: Callback, engine: Engine = ONE) -> dict[str, Any]:
    """Runs a new study in a new folder; returns its report with "folder" and "seconds".

    `engine`: who shares its tasks; it changes no figure.
    UserError for what the user can correct; Interrupted, with everything saved, when asked to stop.
    """
    for note in meaningless(recipe):
        callback.say(note)
    study = open_study(resolve(recipe), callback=callback)
    for line in report_lines(study.report):
        callback.say(line)
    path = make_folder(out) if out else new_folder(name_of(study.recipe))
    with RunLock(path), resumable(path):
        groups = {"supernets": [list(group) for group in study.divided]}
        origin = Origin(STUDY, study.recipe.model_dump(mode="json"), environment(study), {GROUPS: groups})
        begin(path, origin)
        return go_on(StudyJob(study, path, origin.identity), origin, callback, engine)


def resume(
    path: Path,
    callback: Callback,
    engine: Engine = ONE,
    device: str | None = None,
    changed_extensions: bool = False,
) -> dict[str, Any]:
    """Goes on with a study; ends as if it had never been interrupted. One that is finished is told again.

    Tasks that are not as they were written are done again. `device`: another one than the recipe's, on which figures
    may differ. `changed_extensions`: even if a user's file that the recipe names is another now.
    """
    check_begun(path, STUDY)
    with RunLock(path), resumable(path):
        origin = read_origin(path, STUDY)
        settle(path, origin, callback.say)
        check_unchanged(origin.environment.get("extensions", {}), changed_extensions, callback.say)
        study = reopened(path, origin, device, callback)
        return go_on(StudyJob(study, path, origin.identity), origin, callback, engine)


def reopened(path: Path, origin: Origin, device: str | None, callback: Callback) -> Study:
    """The study that was begun in a folder; UserError where its images are others now."""
    recipe = load(StudyRecipe, deepcopy(dict(origin.recipe)), (), {"device": device})
    here = recipe.model_copy(update={"device": resolve_device(recipe.device)})  # it may be another machine
    groups = shaped(path / CHECKPOINTS, Groups, origin.more[GROUPS])["supernets"]
    study = open_study(here, groups, callback)
    compare(origin.environment, environment(study), recipe.data.name, path, callback)
    return study


def read_recipe(path: Path) -> StudyRecipe:
    """What a study folder was asked for."""
    return checked(StudyRecipe, dict(read_origin(path, STUDY).recipe))


def resolve(recipe: StudyRecipe) -> StudyRecipe:
    """The recipe with nothing left open: places as absolute paths, the device that is there."""
    training = recipe.training
    if training.learning_rate_min > training.learning_rate:
        raise UserError(
            f"training.learning_rate_min={training.learning_rate_min}: is above "
            f"training.learning_rate={training.learning_rate}; swap them"
        )
    file = recipe.sharing.file
    changes = {
        "data": recipe.data.model_copy(update=resolve_data(recipe.data)),
        "sharing": recipe.sharing.model_copy(update={"file": absolute(file) if file else None}),
        "truth": absolute(recipe.truth) if recipe.truth else None,
        "device": resolve_device(recipe.device),
    }
    return recipe.model_copy(update=changes)


def environment(study: Study) -> dict[str, Any]:
    """Where a study was made, and a fingerprint of the images."""
    return {
        **surroundings(study.recipe.device, study.recipe.threads),
        "extensions": file_hashes(study.recipe.extensions, study.recipe.space.name),
        "train_images": len(study.train),
        "judged_images": len(study.judged),
        "images": study.fingerprint(),
    }


def go_on(job: StudyJob, origin: Origin, callback: Callback, engine: Engine) -> dict[str, Any]:
    """Does the tasks that are left of a study that this process has locked, then the results."""
    path, study = job.run, job.study
    stages = [trainings(study), tunings(study)]
    with cpu_threads(study.recipe.threads), following(callback, path, origin.recipe):
        callback.say(f"study folder: {path}")
        write_json(path / IMAGES, study.report)
        overview = Overview(callback)
        with callback.stop as stop:
            for stage in stages:
                left = [task for task in stage if not job.is_done(task)]
                with make_executor(engine, len(left), job, stop, overview) as executor:
                    perform_all(left, executor, overview)
        return conclude(job, origin, [task for stage in stages for task in stage])  # all tasks are saved


def perform_all(tasks: list[StudyTask], executor: Executor[StudyTask, int], overview: Overview) -> None:
    """Has every task done, as many at once as the executor has room for."""
    waiting, busy, finished = list(tasks), 0, 0
    while waiting or busy:
        while waiting and executor.has_room:
            executor.begin(waiting.pop(0))
            busy += 1
        task, steps = executor.finished()
        busy, finished = busy - 1, finished + steps
        overview.finish(task.label, finished)


def conclude(job: StudyJob, origin: Origin, tasks: list[StudyTask]) -> dict[str, Any]:
    """The rows of all tasks as one log, and everything that follows from it."""
    path, study = job.run, job.study
    logs = [job.log(task) for task in tasks]
    ledger = [job.cost(task) for task in tasks]
    seconds = sum(float(cost["seconds"]) for cost in ledger)
    files = {
        LOG: log_bytes(join(logs, str(path / LOG), study.meta())),
        LEDGER: json_bytes({"parts": ledger}),
        TIMING: json_bytes({"seconds": round(seconds, 3)}),
    }
    for name, data in files.items():
        write_bytes(path / name, data)
    meta = {"origin": origin.to_json(), "finished": hashes_of(files)}
    Generations(path / CHECKPOINTS, origin.owner).commit(Record({}, {}, meta))
    truth = Path(study.recipe.truth) if study.recipe.truth else None
    return {"folder": str(path), "seconds": seconds, **write_results(path, truth, study.recipe.seed)}


def write_results(folder: Path, truth: Path | None, seed: int) -> dict[str, Any]:
    """Writes metrics.json, figures/ and report.html into a study's folder; returns the first."""
    log = read_log(folder / "log.parquet")
    true = read_truth(truth, log) if truth else None
    found = report(log, true, seed=seed)
    write_json(folder / "metrics.json", found)
    subject = Subject(log, true, seed=seed)
    drawings = draw(subject)
    save(drawings, folder / "figures")
    write_page(folder / "report.html", subject, found, read_made(folder), drawings)
    return found


def is_told(path: Path) -> bool:
    """Whether a study is finished, and what its figures come from is as it was written."""
    finished = newest_meta(path).get("finished")
    return finished is not None and not list(altered(path, finished, (LOG, LEDGER, TIMING)))


def name_of(recipe: StudyRecipe) -> str:
    """What the folder of a study is called."""
    space = find_space(recipe.space.name).name
    return f"study-{space}-{recipe.sharing.policy}-{recipe.training.order}-seed{recipe.seed}"
