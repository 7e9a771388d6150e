"""A training, from a recipe to a network on the disk, and on from where it was interrupted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.data.given import Given
from cleave.data.report import IMAGES, report_lines
from cleave.engine.engine import ONE, PROCESS, Engine
from cleave.engine.environment import compare
from cleave.engine.executor import handed_out
from cleave.engine.job import OnlyTask
from cleave.engine.progress import Callback, Callbacks, following
from cleave.engine.slurm_cluster import end_earlier
from cleave.errors import UserError
from cleave.extensions import check_unchanged
from cleave.memory import memory_for
from cleave.resolve import resolve_device
from cleave.retrain.job import SMALLER, TrainJob
from cleave.retrain.problem import LABEL, TrainingProblem, open_training
from cleave.retrain.ranks import Ranks, device_of, joined
from cleave.retrain.recipes import recipe_of, resolve_training
from cleave.retrain.seen import keep_seen
from cleave.retrain.session import TrainingSession, Until
from cleave.retrain.settings import RetrainRecipe
from cleave.run.durable import write_json
from cleave.run.folder import RunFolder, create, make_folder, new_folder
from cleave.run.lock import RunLock
from cleave.run.mirror import told
from cleave.run.origin import TRAIN, Origin, check_begun, holds, read_origin, settle
from cleave.run.resumable import resumable
from cleave.run.view import is_whole, view
from cleave.torch_state import cpu_threads


@dataclass(frozen=True)
class Hands:
    """Who trains: a worker of an engine, and as how many processes. This process itself, or one of torchrun's: `own`.

    UserError for a number of processes that cannot be, or where torchrun has started several already.
    """

    engine: Engine = ONE
    processes: int = 1

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise UserError(f"--processes {self.processes}: give 1 or more")
        if not self.own and os.environ.get("WORLD_SIZE", "1") != "1":
            raise UserError("--engine, --processes: torchrun has started the processes already; leave them out")

    @property
    def own(self) -> bool:
        return self.engine.name == PROCESS and self.processes == 1

    def check(self, given: Given | None) -> None:
        """UserError for images that several processes cannot open by themselves."""
        if given is not None and self.processes > 1:
            raise UserError("--processes: each opens the images by itself; give the name of a set, or a folder")


OWN = Hands()


def start(
    recipe: RetrainRecipe,
    out: Path | None,
    callback: Callback,
    given: Given | None = None,
    until: Until | None = None,
    hands: Hands = OWN,
) -> dict[str, Any]:
    """Trains in a new folder; returns the outcome with "run" and "seconds". `given`: images that no recipe can name.
    `until`: the seconds that are left for it; see `TrainingSession`. `hands`: who trains.

    Under torchrun every process calls it alike; the first one reads and writes the folder.
    UserError for what the user can correct; Interrupted, with everything saved, when asked to stop.
    """
    recipe = resolve_training(recipe)
    hands.check(given)
    with joined(device_of(recipe.device)) as ranks:
        callback = heard_by(ranks, callback)
        problem = in_turn(ranks, recipe, callback, given)
        tell_problem(problem, callback)
        path = ranks.told(folder_for(problem, out) if ranks.first else Path())
        with holding(path, ranks), callback.stop:
            folder = create(path, recipe, problem.environment(), TRAIN) if ranks.first else None
            return go_on(path, folder, problem, ranks, callback, until, hands)


def resume(
    path: Path,
    callback: Callback,
    device: str | None = None,
    given: Given | None = None,
    changed_extensions: bool = False,
    until: Until | None = None,
    hands: Hands = OWN,
) -> dict[str, Any]:
    """Goes on with a training, or tells its outcome again; ends as if it had never been interrupted.

    `device`: another one than the recipe's, on which figures may differ; so they may with another number of processes,
    in the last digits. `changed_extensions`: even if a user's file that the recipe names is another now. `hands`: who
    trains; not necessarily who began.
    """
    check_begun(path, TRAIN)
    hands.check(given)
    if is_whole(path, lambda _: None, TRAIN):  # nothing is written, so that the disk may be one that takes nothing
        return view(path, TRAIN)
    origin = read_origin(path, TRAIN)
    recipe = recipe_of(origin, device)
    recipe = recipe.model_copy(update={"device": resolve_device(recipe.device)})  # it may be another machine
    with joined(device_of(recipe.device)) as ranks:
        callback = heard_by(ranks, callback)
        with holding(path, ranks):
            if ranks.first:
                settle(path, origin, callback.say)
                is_whole(path, callback.say, TRAIN)  # says what is made again
            check_unchanged(origin.environment.get("extensions", {}), changed_extensions, callback.say)
            problem = in_turn(ranks, recipe, callback, given)
            compare(origin.environment, problem.environment(), recipe.data.name, path, callback)
            with callback.stop:
                return go_on(path, folder_of(path, origin, ranks), problem, ranks, callback, until, hands)


def start_or_resume(
    recipe: RetrainRecipe, path: Path, callback: Callback, given: Given | None = None, until: Until | None = None
) -> dict[str, Any]:
    """Trains in a folder, or goes on with the training there; UserError where that is another one."""
    if not holds(path, TRAIN):
        return start(recipe, path, callback, given, until)
    if resolve_training(recipe) != recipe_of(read_origin(path, TRAIN)):
        raise UserError(f"{path}: was trained by another recipe; give --out a new folder")
    return resume(path, callback, given=given, until=until)


def go_on(
    path: Path,
    folder: RunFolder | None,
    problem: TrainingProblem,
    ranks: Ranks,
    callback: Callback,
    until: Until | None = None,
    hands: Hands = OWN,
) -> dict[str, Any]:
    """Takes the steps that are left of a training whose folder the first process has locked."""
    settings = problem.recipe.model_dump(mode="json")
    with cpu_threads(problem.recipe.threads), memory_for("training", SMALLER), following(callback, path, settings):
        callback.say(f"run folder: {told(path)}")
        if folder is not None:
            end_earlier(path)
            write_json(path / IMAGES, dict(problem.report))
            keep_seen(folder.files, problem.task.train, problem.valid)
        if hands.own:
            TrainingSession(problem, folder, ranks, callback, until).complete()
        else:
            handed_out(hands.engine, TrainJob(problem, path, hands.processes), OnlyTask(LABEL), callback)
    return ranks.told(view(path, TRAIN) if ranks.first else {})


def one_of_several(path: Path, device: str, callback: Callback) -> None:
    """What each process of a gang does; the folder is begun, and locked by who started them."""
    origin = read_origin(path, TRAIN)
    recipe = recipe_of(origin, device)
    with joined(device_of(recipe.device)) as ranks, cpu_threads(recipe.threads), callback.stop:
        problem = in_turn(ranks, recipe, heard_by(ranks, callback), None)
        TrainingSession(problem, folder_of(path, origin, ranks), ranks, heard_by(ranks, callback)).complete()


def heard_by(ranks: Ranks, callback: Callback) -> Callback:
    """What tells people, in the first of several processes; the others are only asked to stop."""
    return callback if ranks.first else Callbacks((), callback.stop)


def in_turn(ranks: Ranks, recipe: RetrainRecipe, callback: Callback, given: Given | None) -> TrainingProblem:
    """The problem of a recipe. The first process opens it before the others: it may have to download images."""
    found = open_training(recipe, callback, given) if ranks.first else None
    ranks.told(None)
    return found or open_training(recipe, callback, given)


def tell_problem(problem: TrainingProblem, callback: Callback) -> None:
    for line in report_lines(problem.report):
        callback.say(line)
    cost = problem.cost
    callback.say(f"network: {cost.parameters:,} parameters, {cost.multiply_adds:,} multiply-adds of an image")
    if problem.drops_nothing:
        callback.say("training.drop_path has no meaning in a network without cells; it is not used")


def folder_for(problem: TrainingProblem, out: Path | None) -> Path:
    return make_folder(out) if out else new_folder(f"train-{problem.space.name}-seed{problem.recipe.seed}")


def folder_of(path: Path, origin: Origin, ranks: Ranks) -> RunFolder | None:
    return RunFolder(path, origin) if ranks.first else None


@contextmanager
def holding(path: Path, ranks: Ranks) -> Iterator[None]:
    """Meanwhile the run folder is this training's; an interruption says how to go on."""
    with ExitStack() as stack:
        if ranks.first:
            stack.enter_context(RunLock(path))
        stack.enter_context(resumable(path))
        yield
