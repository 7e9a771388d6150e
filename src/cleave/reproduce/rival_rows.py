"""The experiment on rivals of gradient matching: what each way to split or to sample buys at equal steps."""

from __future__ import annotations

from pathlib import Path

from cleave.engine.engine import Engine
from cleave.engine.progress import Callback
from cleave.rank.columns import EARLY, MULTIPLY_ADDS, PARAMETERS
from cleave.rank.contest import SUPERNET
from cleave.rank.question import RankQuestion
from cleave.reproduce.budgets import SIZES, Length, Sizes
from cleave.reproduce.experiment import Budget, Experiment, ExperimentRow, Figures, search
from cleave.reproduce.measures import BEST_LEAF, CHOSEN, accuracy
from cleave.reproduce.ranking_rows import kept, ranked, top
from cleave.settings import Recipe

BY_BATCH, RECALIBRATED = "by-batch", "recalibrated"
"""How children are judged: by the statistics of each held-out batch, or by their own on training batches."""
BATCHES = 4
"""Of training images, on which a child's statistics are measured."""
SAMPLE = {"tiny": 60, "small": 500, "paper": None}
"""Architectures that are ranked, the same ones of every run; None for all."""
IMAGES = {"tiny": 24, "small": 500, "paper": 2000}
"""Held-out ones, at most, by which they are."""
TWO = {"split.splits": 1, "split.branch": 2}
BALANCED = {"method.sampler": "balanced"}
FLOORS = {"parameters": PARAMETERS, "multiply-adds": MULTIPLY_ADDS, "accuracy after 12 epochs": EARLY}
"""What takes no supernet; the last one is trained alone, architecture by architecture."""
WHOLE = "no split"


def rivals(sizes: Sizes) -> list[ExperimentRow]:
    """All take as many epochs: those that look at nothing do not warm up, and train their two halves for longer."""
    total = sizes.total_epochs("rsps", (2,))
    alone = {"split.splitter": "none", "search.epochs": total}
    ways = {
        WHOLE: alone,
        "random": {**TWO, "split.splitter": "random", "search.epochs": total // 2},
        "parametric": {"split.splits": 1, "split.splitter": "parametric", "search.epochs": total // 2},
        "output": {**TWO, "split.splitter": "output"},
        "gradient": {**TWO, "split.splitter": "gradient"},
    }
    uniform = [ExperimentRow(name, "rsps", changes) for name, changes in ways.items()]
    sampled = [
        ExperimentRow(f"{name}, balanced", "rsps", {**ways[name], **BALANCED})
        for name in (WHOLE, "parametric", "gradient")
    ]
    floors = [ExperimentRow(name, "rsps", alone, run=WHOLE, figure=column) for name, column in FLOORS.items()]
    return [*uniform, *sampled, *floors]


def perform(folder: Path, recipe: Recipe, budget: Budget, callback: Callback, engine: Engine) -> float:
    """A search, and the ranking of a sample by its weights, judged in two ways."""
    seconds = search(folder, recipe, budget, callback, engine)
    for name, batches in ((BY_BATCH, 0), (RECALIBRATED, BATCHES)):
        question = RankQuestion(sample=SAMPLE[budget], images=IMAGES[budget], recalibrate=batches)
        seconds += ranked(folder, name, question, callback)
    return seconds


def measured(folder: Path, row: ExperimentRow) -> Figures:
    """How a run ranks, and the accuracy of what it found; of a floor how that ranks, whatever the statistics.

    A table may lack the accuracies of early epochs: that floor is then undefined.
    """
    rows = {name: kept(folder, name)["rows"].get(row.figure or SUPERNET) for name in (BY_BATCH, RECALIBRATED)}
    found = {} if row.figure else accuracy(folder, row)
    by_batch, recalibrated = rows[BY_BATCH], rows[RECALIBRATED]
    return {
        "tau": [by_batch and by_batch["kendall"]["value"]],
        "tau, recalibrated": [recalibrated and recalibrated["kendall"]["value"]],
        top("1"): [by_batch and by_batch["top"]["1"]["spearman"]],
        CHOSEN: found.get(CHOSEN, [None]),
        BEST_LEAF: found.get(BEST_LEAF, [None]),
    }


TINY, SMALL, PAPER = (SIZES[name] for name in ("tiny", "small", "paper"))
LONG = {"data.limit": 4000, "space.channels": 4}
"""Narrow networks that are trained long: their weights rank better than those of wide ones that are not."""

RIVALS = [
    Experiment(
        "rivals",
        "Rivals of gradient matching at equal steps",
        "a question of ours, see docs/comparing.md",
        "correlation with test accuracy; of what was found test accuracy, %",
        rivals,
        measured,
        perform=perform,
        sizes={
            "tiny": TINY.with_lengths({"rsps": Length(2, 1)}),
            "small": SMALL.changed(LONG).with_lengths({"rsps": Length(20, 40)}),
            "paper": PAPER.with_lengths({"rsps": Length(20, 50)}),
        },
        seeds={"tiny": (0,), "small": tuple(range(4)), "paper": tuple(range(4))},
        compare=(
            ("random", WHOLE),
            ("parametric", WHOLE),
            ("output", WHOLE),
            ("gradient", WHOLE),
            ("gradient", "random"),
            ("gradient", "parametric"),
            ("gradient", "output"),
            (f"{WHOLE}, balanced", WHOLE),
            ("parametric, balanced", f"{WHOLE}, balanced"),
            ("gradient, balanced", f"{WHOLE}, balanced"),
            ("gradient, balanced", "parametric, balanced"),
        ),
        notes=(
            "Every row takes as many training steps in all. random and parametric look at nothing, so that nothing is "
            "warmed up for them and their two halves are trained for longer.",
            "The paper of balanced sampling splits in other ways; parametric is the split that gradient matching finds "
            "on NAS-Bench-201 (appendix B.1). The last three rows need no supernet.",
        ),
    )
]
