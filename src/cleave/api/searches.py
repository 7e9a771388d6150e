"""Searches, and what is asked about them before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cleave.api.arguments import (
    Folder,
    SpaceObject,
    asked_for,
    checked_callbacks,
    folder_of,
    given_again,
    path_or_none,
    space_again,
)
from cleave.engine.engine import ONE, PROCESS, engine_of
from cleave.engine.progress import CallbackLike, Callbacks
from cleave.engine.ray_resources import ResourcesLike
from cleave.engine.slurm_options import SlurmLike
from cleave.engine.stop import Stop
from cleave.errors import UserError, shown
from cleave.evolve import runner as evolve_runner
from cleave.evolve.question import EvolveQuestion
from cleave.extras import need_extra
from cleave.given import DataLike, MethodLike, RecipeLike, SpaceLike, SplitterLike
from cleave.pareto.front import find_front
from cleave.pareto.question import FrontQuestion
from cleave.plan.plan import plan_search
from cleave.rank import runner as rank_runner
from cleave.rank.question import RankQuestion
from cleave.result import SearchResult, read_result
from cleave.run.mirror import run_at_hand
from cleave.search import runner as search_runner
from cleave.split.matrix import partition_file, partition_matrix


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
    resources: ResourcesLike | None = None,
    slurm: SlurmLike | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> SearchResult:
    """Searches an architecture in a new run folder.

    `recipe`: a YAML file, a mapping or `settings.Recipe`; None: the defaults. The other arguments change it, and None
    leaves a key as it is. `space`: a name, or a Space or its class. `method`: a name or settings. `splitter`: a name
    or `settings.SplitSettings`. `data`: a name, a folder, (images, labels) with images [n, channels, size, size] of
    uint8 or floats in 0 to 1, or a torch Dataset. `settings`: any other keys of the recipe by dotted name, as in
    {"search.epochs": 5}. `out`: the run folder; None: a new one in runs/. `workers`: processes, None for as many as
    there are cores for; more than one needs a main program that can be imported. `engine`: "process", "ray" or
    "slurm"; a Ray is started for the run unless this process has one or `address` ("HOST:PORT") names one.
    `resources`: what each worker takes of that, as in {"GPU": 0.5}. `slurm`: what each job asks of SLURM, as in
    {"partition": "gpu", "time": 60}. `callbacks` see every step, and `stop.requested` may be set from another thread.

    UserError for a mistake in what was given; Interrupted, with everything saved, where it was asked to stop.
    """
    chosen = engine_of(workers, engine, address, slurm, resources)
    asked, given = asked_for(space, method, splitter, data, recipe, settings, seed, device, chosen)
    folder = path_or_none(out)
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
    resources: ResourcesLike | None = None,
    slurm: SlurmLike | None = None,
    changed_extensions: bool = False,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> SearchResult:
    """Goes on with an interrupted search, which ends as if nothing had happened; a finished one is told again.

    `data` and `space`: again what was given as tensors, as a Dataset, as an object. `changed_extensions`: even if a
    user's file that the run names is another now.
    """
    chosen = engine_of(workers, engine, address, slurm, resources)
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
    return read_result(run_at_hand(run))


def rank(
    run: Folder,
    *,
    sample: int | None = None,
    seed: int = 0,
    connected: bool = False,
    truth: str | Path | None = None,
    alone: int | None = None,
    images: int = 500,
    recalibrate: int | None = None,
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
    `data`: again what was given as tensors. Returns what `cleave rank --json` prints. Interrupted when asked to stop:
    with `alone` the same call goes on.
    """
    question = RankQuestion(
        sample=sample,
        seed=seed,
        connected=connected,
        truth=path_or_none(truth),
        alone=alone,
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


def front(
    run: Folder,
    *,
    cost: str = "macs",
    points: int = 10,
    out: str | Path | None = None,
    data: DataLike | None = None,
    data_root: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """The architectures of a finished run that no other beats in both accuracy and cost ("macs" or "params").

    They are derived by the run's own weights under `points` ever tighter limits. `data`: again what was given as
    tensors. Returns what `cleave front --json` prints; `SearchResult.network(arch)` is a member as a network.
    """
    need_extra("front")
    question = FrontQuestion(cost, points, path_or_none(out), path_or_none(data_root), device, threads)
    return find_front(folder_of(run), question, Callbacks(checked_callbacks(callbacks), stop), given_again(data))


def evolve(
    run: Folder,
    *,
    leaf: str | None = None,
    max_macs: int | str | None = None,
    max_params: int | str | None = None,
    max_latency: float | str | None = None,
    latency: str | Path | None = None,
    by: str = "accuracy",
    fallback: str | None = None,
    images: int | None = None,
    recalibrate: int | None = None,
    forgetting: float | None = None,
    samples: int | None = None,
    predictor: str | Path | None = None,
    check: int = 30,
    population: int = 100,
    generations: int | None = None,
    parents: float = 0.25,
    mutants: float = 0.5,
    mutation: float = 0.1,
    shift: float | None = None,
    shift_steps: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    data: DataLike | None = None,
    data_root: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """The best architecture of a finished run under other limits, found by evolution in a leaf's trained supernet.

    Nothing is trained, unless `shift` is a learning rate. What is asked is as in `cleave evolve --help`. `data`: again
    what was given as tensors. Returns what `cleave evolve --json` prints. Interrupted when asked to stop: the same call
    goes on.
    """
    question = EvolveQuestion(
        leaf=leaf,
        max_macs=max_macs,
        max_params=max_params,
        max_latency=max_latency,
        latency=None if latency is None else str(latency),
        by=by,
        fallback=fallback,
        images=images,
        recalibrate=recalibrate,
        forgetting=forgetting,
        samples=samples,
        predictor=path_or_none(predictor),
        check=check,
        population=population,
        generations=generations,
        parents=parents,
        mutants=mutants,
        mutation=mutation,
        shift=shift,
        shift_steps=shift_steps,
        seed=seed,
        out=path_or_none(out),
        data_root=path_or_none(data_root),
        device=device,
        threads=threads,
    )
    callback = Callbacks(checked_callbacks(callbacks), stop)
    return evolve_runner.evolve(folder_of(run), question, callback, given_again(data))


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
