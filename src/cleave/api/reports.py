"""Finished runs as a page for people, and against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cleave.api.arguments import SpaceObject, checked_callbacks, path_or_none, space_again
from cleave.engine.progress import CallbackLike, Callbacks
from cleave.extensions import load_all
from cleave.given import DataLike, images_from
from cleave.pages import designs, reproductions, searches, studies, trainings  # they register what they tell of
from cleave.pages.kinds import Asked
from cleave.pages.runner import write_report
from cleave.paired.compare import RunsQuestion
from cleave.paired.compare import compare_runs as runs_compared
from cleave.result import SearchResult
from cleave.retrain.result import TrainResult
from cleave.run.mirror import run_at_hand

Run = str | Path | SearchResult | TrainResult

KINDS = (designs, searches, trainings, studies, reproductions)
"""What tells of each kind of run, loaded before any is asked for."""


def report(
    runs: Run | Sequence[Run],
    out: str | Path | None = None,
    *,
    data: DataLike | None = None,
    data_root: str | Path | None = None,
    space: str | SpaceObject | None = None,
    extensions: Sequence[str | Path] = (),
    callbacks: Iterable[CallbackLike] = (),
) -> dict[str, Any]:
    """Writes one finished run or several as one page of HTML that needs no network.

    `runs`: folders of designs, searches, trainings, studies and reproductions, and JSON files of `cleave verdict`, in
    any mix; what can be compared stands side by side. `out`: None for report.html in the first one. Networks are asked
    nothing: of test images is told what trainings said of them when they were asked. `data`, `data_root`: these images,
    as of `evaluate`, where they are not the runs' own. `space`: again that of a run, where it is an object, or a class
    in a file, which is run.

    Returns what `cleave report --json` prints. UserError where a run is not finished, or not as it was written.
    """
    load_all(list(map(str, extensions)))
    if space is not None and not isinstance(space, str):
        space_again(space)
    images, given = images_from(data)
    root = None if data_root is None else str(data_root)
    named = space if isinstance(space, str) else None
    listed = [runs] if isinstance(runs, str | Path | SearchResult | TrainResult) else runs
    callback, several = Callbacks(checked_callbacks(callbacks)), len(listed) > 1
    asked = Asked(callback, named, images.get("data.name"), root, given, several)
    return write_report([folder_of(each) for each in listed], path_or_none(out), asked)


def compare_runs(
    runs: Sequence[Run],
    *,
    by: str = "recipe",
    against: str | None = None,
    out: str | Path | None = None,
    data: DataLike | None = None,
    data_root: str | Path | None = None,
    callbacks: Iterable[CallbackLike] = (),
) -> dict[str, Any]:
    """Finished searches, or trainings, of several seeds: groups of them against each other, seed by seed.

    `by`: runs of one group are the same but for their seed, by "recipe" or by the "name" of their folders, as in
    gradient-seed0. `against`: the group that the others are held against; None: every two. `out`: a page of HTML with a
    picture. `data`, `data_root`: test images that trainings were asked about, as of `evaluate`.

    Returns what `cleave compare RUN RUN --json` prints. UserError for runs that cannot be paired.
    """
    images, given = images_from(data)
    root = None if data_root is None else str(data_root)
    asked = Asked(Callbacks(checked_callbacks(callbacks)), None, images.get("data.name"), root, given, True)
    question = RunsQuestion([folder_of(each) for each in runs], by, against, path_or_none(out))
    return runs_compared(question, asked)


def folder_of(run: Run) -> Path:
    return run.run if isinstance(run, SearchResult | TrainResult) else run_at_hand(run)
