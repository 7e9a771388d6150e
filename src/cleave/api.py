"""The public functions. The command line calls them too.

None of them changes what belongs to the process for longer than it runs: no signal handlers, no streams, no threads of
torch. `UserError` is a mistake in what was given, in one line; `Interrupted` says how to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cleave.data.given import Given
from cleave.engine.engine import ONE, PROCESS, Engine
from cleave.engine.progress import CallbackLike, Callbacks
from cleave.engine.stop import Stop
from cleave.errors import UserError, shown
from cleave.extras import need_extra
from cleave.given import (
    DataLike,
    MethodLike,
    RecipeLike,
    SpaceLike,
    SplitterLike,
    images_from,
    method_keys,
    once,
    recipe_from,
    space_keys,
    splitter_keys,
    without,
)
from cleave.plan.plan import plan_search
from cleave.rank import runner as rank_runner
from cleave.rank.question import RankQuestion
from cleave.result import SearchResult, read_result
from cleave.retrain import evaluate as evaluate_runner
from cleave.retrain import runner as train_runner
from cleave.retrain.recipes import load_training
from cleave.retrain.result import TrainResult, read_training
from cleave.run.origin import STUDY, TRAIN, holds
from cleave.search import runner as search_runner
from cleave.settings import Recipe
from cleave.space import Space
from cleave.split.matrix import partition_file, partition_matrix

__all__ = [
    "evaluate",
    "is_study",
    "is_training",
    "load",
    "partition",
    "plan",
    "rank",
    "resume",
    "resume_study",
    "resume_training",
    "search",
    "study",
    "train",
]

SpaceObject = Space | type[Space]
Folder = str | Path | SearchResult


def search(
    *,
    space: SpaceLike | None = None,
    method: MethodLike | None = None,
    splitter: SplitterLike | None = None,
    data: DataLike | None = None,
    out: str | Path | None = None,
    recipe: RecipeLike | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
    workers: int | None = 1,
    engine: str = PROCESS,
    address: str | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> SearchResult:
    """Searches an architecture in a new run folder.

    `recipe`: a YAML file, a mapping or `settings.Recipe`; None: the defaults. The other arguments change it, and None
    leaves a key as it is. `space`: a name, or a Space or its class. `method`: a name or settings. `splitter`: a name
    or `settings.SplitSettings`. `data`: a name, a folder, (images, labels) with images [n, channels, size, size] of
    uint8 or floats in 0 to 1, or a torch Dataset. `settings`: any other keys of the recipe by dotted name, as in
    {"search.epochs": 5}. `out`: the run folder; None: a new one in runs/. `workers`: processes, None for as many as
    there are cores for; more than one needs a main program that can be imported. `engine`: "process" or "ray"; a Ray
    is started for the run unless this process has one or `address` ("HOST:PORT") names one. `callbacks` see every
    step, and `stop.requested` may be set from another thread.

    UserError for a mistake in what was given; Interrupted, with everything saved, where it was asked to stop.
    """
    chosen = Engine(workers, engine, address)
    asked, given = asked_for(space, method, splitter, data, recipe, settings, seed, device, chosen)
    folder = None if out is None else Path(out)
    found = search_runner.start(asked, folder, Callbacks(checked_callbacks(callbacks), stop), chosen, given)
    return read_result(Path(found["run"]))


def resume(
    run: Folder,
    *,
    data: DataLike | None = None,
    space: SpaceObject | None = None,
    device: str | None = None,
    workers: int | None = 1,
    engine: str = PROCESS,
    address: str | None = None,
    changed_extensions: bool = False,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> SearchResult:
    """Goes on with an interrupted search, which ends as if nothing had happened; a finished one is told again.

    `data` and `space`: again what was given as tensors, as a Dataset, as an object. `changed_extensions`: even if a
    user's file that the run names is another now.
    """
    chosen = Engine(workers, engine, address)
    space_again(space, chosen)
    callback = Callbacks(checked_callbacks(callbacks), stop)
    images = given_again(data)
    found = search_runner.resume(folder_of(run), callback, chosen, device, images, changed_extensions)
    return read_result(Path(found["run"]))


def load(run: str | Path, *, space: SpaceObject | None = None) -> SearchResult:
    """The result of a finished search; UserError where it is not finished, or not as it was written.

    `space`: again what was given as an object, where another process searched it.
    """
    space_again(space)
    return read_result(Path(run))


def rank(
    run: Folder,
    *,
    sample: int | None = None,
    seed: int = 0,
    connected: bool = False,
    images: int = 500,
    recalibrate: int = 0,
    forgetting: float | None = None,
    average: int = 1,
    benchmark: str | Path | None = None,
    dataset: str | None = None,
    predictions: Sequence[str | Path] = (),
    out: str | Path | None = None,
    data: DataLike | None = None,
    data_root: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    extensions: Sequence[str | Path] = (),
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Ranks architectures by their accuracy under a run's weights: rank correlations, and a CSV file.

    `run`: a finished search, or the file of a recipe to search first. What is asked is as in `cleave rank --help`.
    `data`: again what was given as tensors. Returns what `cleave rank --json` prints.
    """
    question = RankQuestion(
        sample=sample,
        seed=seed,
        connected=connected,
        images=images,
        recalibrate=recalibrate,
        forgetting=forgetting,
        average=average,
        benchmark=path_or_none(benchmark),
        dataset=dataset,
        predictions=tuple(map(Path, predictions)),
        out=path_or_none(out),
        data_root=path_or_none(data_root),
        device=device,
        threads=threads,
        extensions=tuple(map(str, extensions)),
    )
    callback = Callbacks(checked_callbacks(callbacks), stop)
    return rank_runner.rank(folder_of(run), question, callback, given_again(data))


def train(
    source: str | Path | SearchResult,
    *,
    recipe: RecipeLike | None = None,
    space: SpaceLike | None = None,
    data: DataLike | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> TrainResult:
    """Trains one architecture from scratch in a new run folder.

    `source`: an architecture as its space writes it, or a finished search, whose space and images are then taken.
    `recipe`: "short", "darts-cifar", "darts-imagenet", a YAML file, a mapping or `retrain.settings.RetrainRecipe`;
    None: short. The other arguments are as of `search`, and change it: {"training.epochs": 5}.

    UserError for a mistake in what was given; Interrupted, with everything saved, where it was asked to stop.
    """
    images, given = images_from(data)
    keys = {**space_keys(space), **images, **without({"seed": seed, "device": device})}
    once(keys, settings or {})
    of = source.run if isinstance(source, SearchResult) else source
    asked = load_training(of, recipe, {**keys, **(settings or {})})
    callback = Callbacks(checked_callbacks(callbacks), stop)
    found = train_runner.start(asked, path_or_none(out), callback, given)
    return read_training(Path(found["run"]))


def resume_training(
    folder: str | Path,
    *,
    data: DataLike | None = None,
    space: SpaceObject | None = None,
    device: str | None = None,
    changed_extensions: bool = False,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> TrainResult:
    """Goes on with an interrupted training, which ends as if nothing had happened; a finished one is told again.

    The arguments are as of `resume`.
    """
    space_again(space)
    callback = Callbacks(checked_callbacks(callbacks), stop)
    train_runner.resume(Path(folder), callback, device, given_again(data), changed_extensions)
    return read_training(Path(folder))


def is_training(folder: Path) -> bool:
    """Whether a folder is that of a training, which `resume_training` goes on with."""
    return holds(folder, TRAIN)


def evaluate(
    model: str | Path | TrainResult,
    *,
    data: DataLike | None = None,
    space: SpaceObject | None = None,
    data_root: str | Path | None = None,
    device: str | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """The accuracy of a finished training on test images, which nothing else opens.

    `data`: a name or a folder whose test part is taken, or test images as tensors or a Dataset; None: the test part of
    the images that it was trained on. Returns what `cleave evaluate --json` prints.
    """
    space_again(space)
    images, given = images_from(data)
    folder = model.run if isinstance(model, TrainResult) else Path(model)
    callback = Callbacks(checked_callbacks(callbacks), stop)
    root = None if data_root is None else str(data_root)
    return evaluate_runner.evaluate(folder, callback, images.get("data.name"), root, device, given)


def plan(
    *,
    space: SpaceLike | None = None,
    method: MethodLike | None = None,
    splitter: SplitterLike | None = None,
    data: DataLike | None = None,
    recipe: RecipeLike | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
    callbacks: Iterable[CallbackLike] = (),
) -> dict[str, Any]:
    """What a search will take, from a few steps timed here; nothing is written. Arguments as of `search`.

    Returns what `cleave plan --json` prints.
    """
    asked, given = asked_for(space, method, splitter, data, recipe, settings, seed, device, ONE)
    return plan_search(asked, Callbacks(checked_callbacks(callbacks)), given)


def study(
    recipe: RecipeLike | None = None,
    *,
    budget: str = "small",
    space: SpaceLike | None = None,
    data: str | Path | None = None,
    truth: str | Path | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
    workers: int | None = 1,
    engine: str = PROCESS,
    address: str | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Trains supernets under a policy of sharing and looks at all children again and again.

    `recipe`: a YAML file, a mapping, `StudyRecipe`, or a study of the paper by name, at a `budget`; None: the defaults.
    `truth`: accuracies of children trained alone. The others as of `search`. Returns what `cleave study --json` prints.
    Needs the extra `cleave-nas[study]`.
    """
    need_extra("study")
    from cleave.study.record import recipes
    from cleave.study.record.settings import StudyRecipe
    from cleave.study.runner import start

    chosen = Engine(workers, engine, address)
    if data is not None and not isinstance(data, str | Path):
        raise UserError(f"data: a study takes a name or a folder, not {shown(data)}")
    read = recipes.raw(recipe, budget) if isinstance(recipe, str | Path) else recipe
    texts = {"data.name": data, "truth": truth}
    keys = {key: None if text is None else str(text) for key, text in texts.items()}
    keys = {**without({**keys, "seed": seed, "device": device}), **space_keys(space, chosen)}
    once(keys, settings or {})
    callback = Callbacks(checked_callbacks(callbacks), stop)
    return start(recipe_from(StudyRecipe, read, keys, settings or {}), path_or_none(out), callback, chosen)


def resume_study(
    folder: str | Path,
    *,
    device: str | None = None,
    workers: int | None = 1,
    engine: str = PROCESS,
    address: str | None = None,
    changed_extensions: bool = False,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Goes on with an interrupted study; a finished one is told again."""
    need_extra("study")
    from cleave.study.runner import resume

    chosen = Engine(workers, engine, address)
    callback = Callbacks(checked_callbacks(callbacks), stop)
    return resume(Path(folder), callback, chosen, device, changed_extensions)


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a study, which `resume_study` goes on with."""
    return holds(folder, STUDY)


def partition(matrix: object, parts: int, *, distance: bool = False) -> dict[str, Any]:
    """The balanced groups that cut the least similarity, exactly: {"groups", "cut"}.

    `matrix`: a CSV file with a header row of names, or [n, n] as a tensor, array or lists, whose groups hold numbers of
    rows. It is symmetric; the diagonal is not read. With `distance` the cut is the largest instead.
    """
    if isinstance(matrix, str | Path):
        return partition_file(Path(matrix), parts, distance)
    try:
        entries = torch.as_tensor(matrix, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"the matrix has to be a file, or numbers [n, n], not {shown(matrix)}") from error
    return partition_matrix(entries, parts, distance)


def asked_for(
    space: SpaceLike | None,
    method: MethodLike | None,
    splitter: SplitterLike | None,
    data: DataLike | None,
    recipe: RecipeLike | None,
    settings: Mapping[str, Any] | None,
    seed: int | None,
    device: str | None,
    engine: Engine,
) -> tuple[Recipe, Given | None]:
    """The recipe of a search, and its images where no recipe can name them."""
    images, given = images_from(data)
    named = {**space_keys(space, engine), **method_keys(method), **splitter_keys(splitter), **images}
    keys = {**named, **without({"seed": seed, "device": device})}
    once(keys, settings or {})
    return recipe_from(Recipe, recipe, keys, settings or {}), given


def given_again(data: DataLike | None) -> Given | None:
    """What reads the images of a run that no recipe can name; UserError for a name: the run knows its own."""
    keys, given = images_from(data)
    if keys and given is None:
        raise UserError("data: a run knows the name of its images; leave data out")
    return given


def space_again(space: SpaceObject | None, engine: Engine = ONE) -> None:
    """Registers a space that no recipe can name; UserError for a name: the run knows its own."""
    if isinstance(space, str):
        raise UserError(f"space: a run knows the name of its space; leave space={shown(space)} out")
    space_keys(space, engine)


def checked_callbacks(callbacks: Iterable[CallbackLike]) -> list[CallbackLike]:
    """The same, each with what it is called by."""
    found = list(callbacks)
    for each in found:
        if not isinstance(each, CallbackLike):
            raise UserError(
                f"callbacks: each needs see(progress) and say(line), as cleave.Callback has; {shown(each)} has not"
            )
    return found


def folder_of(run: Folder) -> Path:
    return run.run if isinstance(run, SearchResult) else Path(run)


def path_or_none(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
