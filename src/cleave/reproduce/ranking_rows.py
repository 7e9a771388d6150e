"""The experiment on rank correlation: few wide splits against many narrow ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cleave.engine.engine import Engine
from cleave.engine.progress import Callback
from cleave.rank.contest import SUPERNET
from cleave.rank.question import RankQuestion
from cleave.rank.runner import rank
from cleave.reproduce.budgets import Sizes
from cleave.reproduce.experiment import Budget, Experiment, ExperimentRow, Figures, Published, search
from cleave.reproduce.searches import FOUR, one_shot
from cleave.run.durable import json_bytes, read_folder, saving, write_folder
from cleave.run.origin import SEARCH, read_origin
from cleave.run.reading import Damaged, Timing, read_json
from cleave.settings import Recipe

TOPS = ("0.2", "0.5", "1")
TABLE7 = {"few-shot": (0.024, 0.032, 0.117), "gradient": (0.410, 0.411, 0.532)}


def top(percent: str) -> str:
    return f"Spearman, top {percent} %"


def table7(sizes: Sizes) -> list[ExperimentRow]:
    """Sixteen sub-supernets each, and one supernet that is trained as long as the sixteen of the binary tree."""
    published = {
        name: {top(percent): Published(value) for percent, value in zip(TOPS, values, strict=True)}
        for name, values in TABLE7.items()
    }
    exhaustive = {"split.splitter": "exhaustive", "split.splits": 2}
    gradient = {"split.splitter": "gradient", "split.splits": 4, "split.branch": 2}
    epochs = {"search.epochs": sizes.total_epochs("rsps", (2,) * 4)}
    return [
        ExperimentRow("few-shot, 2 splits into 4", "rsps", exhaustive, published["few-shot"]),
        ExperimentRow("gradient, 4 splits into 2", "rsps", gradient, published["gradient"]),
        ExperimentRow("no split, as many epochs", "rsps", {**one_shot(sizes, "rsps"), **epochs}),
    ]


RANKING, FILE = "ranking", "ranking.json"
SAMPLE = {"tiny": 300, "small": None, "paper": None}
"""Architectures that are ranked; None for all."""


def perform(folder: Path, recipe: Recipe, budget: Budget, callback: Callback, engine: Engine) -> float:
    """A search, and the ranking of its architectures by its weights."""
    seconds = search(folder, recipe, budget, callback, engine)
    return seconds + ranked(folder, RANKING, RankQuestion(sample=SAMPLE[budget]), callback)


def ranked(folder: Path, name: str, question: RankQuestion, callback: Callback) -> float:
    """The seconds of a ranking, which is kept under a name in the run's folder, and is not made again there."""
    try:
        ranking = kept(folder, name)
    except Damaged:  # or not there
        file = folder / f"{name}.csv"
        with saving(folder):
            file.unlink(missing_ok=True)  # of an attempt that was interrupted
        ranking = rank(folder, replace(question, out=file), callback)
        write_folder(folder / name, {FILE: json_bytes(ranking)}, owner(folder, name))
    seconds: float = ranking["seconds"]
    return seconds


def kept(folder: Path, name: str = RANKING) -> dict[str, Any]:
    """A ranking of a run, as it was saved in its folder; Damaged where there is none, or none that is whole."""
    read_folder(folder / name, of=owner(folder, name))
    return read_json(folder / name / FILE, Timing)


def owner(folder: Path, name: str) -> dict[str, str | int]:
    return {"run": read_origin(folder, SEARCH).identity, "part": name}


def correlations(folder: Path, row: ExperimentRow) -> Figures:
    """Of the accuracy of every architecture in its leaf with the benchmark's test accuracy."""
    found = kept(folder)["rows"][SUPERNET]
    tops = {top(percent): [found["top"][percent]["spearman"]] for percent in TOPS}
    return {**tops, **{f"{name.capitalize()}, all": [found[name]["value"]] for name in ("spearman", "kendall")}}


RANKINGS = [
    Experiment(
        "table7",
        "Rank correlation among the best",
        "GM-NAS, Table 7",
        "correlation with test accuracy",
        table7,
        correlations,
        FOUR,
        perform=perform,
        seeds={"tiny": (0,), "small": (0, 1), "paper": (0, 1, 2, 3)},
        compare=(("gradient, 4 splits into 2", "few-shot, 2 splits into 4"),),
        notes=("The top .2, .5 and 1 % of 4,096 architectures are 8, 20 and 40; the paper gives no number of seeds.",),
    )
]
