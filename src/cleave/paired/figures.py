"""What a finished run says of itself that can be compared: by kind of run. Another kind registers itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cleave.bench.table import dataset_of
from cleave.csv_file import column_of, find_column, read_rows
from cleave.data.images import fingerprint
from cleave.errors import UserError
from cleave.pages.kinds import Asked
from cleave.pages.trainings import judged_answers
from cleave.rank.predictions import ARCH
from cleave.rank.truth import ACCURACY, JUDGED, TRUE
from cleave.registry import Registry
from cleave.result import read_result
from cleave.retrain.result import read_training
from cleave.run.origin import SEARCH, TRAIN, Origin, holds, read_origin
from cleave.run.reading import is_there
from cleave.stats.kendall import kendall

HELD_OUT, TEST, TABLE, TAU = "held-out accuracy", "test accuracy", "accuracy in the table", "tau"
RANKING = "ranking.csv"
"""Where `cleave rank` writes unless it is told otherwise."""


class Figure(NamedTuple):
    """Higher is better. `of`: equal for figures that may be compared, as those of the same test images."""

    value: float
    of: str = ""


Figures = Mapping[str, Figure]
"""By measure."""
Tell = Callable[[Path, Asked], Figures]
KINDS: Registry[Tell] = Registry("kind of run")


@dataclass(frozen=True)
class RunFigures:
    """A finished run: its kind, its recipe with its seed, the images it saw as their fingerprint, its figures."""

    path: Path
    kind: str
    recipe: Mapping[str, Any]
    images: str
    figures: Figures

    @property
    def seed(self) -> int:
        seed: int = self.recipe["seed"]
        return seed


def figures_of(path: Path, asked: Asked) -> RunFigures:
    """UserError where there is no finished run of a kind that has figures, or it was altered."""
    if not is_there(path):
        raise UserError(f"{path}: is not there; give the folder of a finished run")
    for name, tell in KINDS.items():
        if holds(path, name):
            origin = read_origin(path, name)
            return RunFigures(path, name, origin.recipe, images_of(origin), tell(path, asked))
    raise UserError(f"{path}: is no run whose figures can be compared ({', '.join(KINDS)}); give the folder of one")


def images_of(origin: Origin) -> str:
    images: str = origin.environment["images"]
    return images


@KINDS.named(SEARCH)
def of_search(path: Path, asked: Asked) -> Figures:
    """By shared weights, by the benchmark table on the images of the search, and how the weights rank."""
    found = read_result(path)
    known, recipe = found.to_json()["chosen"]["benchmark"], read_origin(path, SEARCH).recipe
    dataset = dataset_of(recipe["data"]["name"])
    test = {TABLE: Figure(known[dataset]["test"], dataset)} if known else {}
    return {HELD_OUT: Figure(found.accuracy), **test, **ranked(path / RANKING)}


@KINDS.named(TRAIN)
def of_training(path: Path, asked: Asked) -> Figures:
    """On held-out images, and on test images where it was asked about them."""
    accuracy, answered = read_training(path).accuracy, judged_answers(path, asked)
    held = {} if accuracy is None else {HELD_OUT: Figure(accuracy)}
    if answered is None:
        return held
    return {**held, TEST: Figure(answered.found["accuracy"], fingerprint((answered.images,)))}


def ranked(file: Path) -> Figures:
    """Kendall's tau-b of a ranking against its truth, where there is one and it is defined.

    It may be compared with others of the same architectures and truth that were judged in the same way; one that does
    not tell how, of an earlier version, with none.
    """
    if not is_there(file):
        return {}
    header, rows = read_rows(file)
    accuracy, true = (column_of(file, rows, find_column(file, header, [name])) for name in (ACCURACY, TRUE))
    arch, tau = find_column(file, header, [ARCH]), kendall(accuracy, true)
    if np.isnan(tau) or JUDGED not in header:
        return {}
    of = [[row.cells[name] for name in (arch, TRUE, JUDGED)] for row in rows]
    return {TAU: Figure(tau, hashlib.sha256(repr(of).encode()).hexdigest())}
