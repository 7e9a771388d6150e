"""The experiments on how supernets rank: rivals of gradient matching at equal steps, and ways to train one supernet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from cleave.engine.engine import Engine
from cleave.engine.progress import Callback
from cleave.rank.columns import EARLY, MULTIPLY_ADDS, PARAMETERS
from cleave.rank.contest import SUPERNET
from cleave.rank.question import RankQuestion
from cleave.reproduce.budgets import SIZES, Changes, Length, Sizes
from cleave.reproduce.experiment import Budget, Experiment, ExperimentRow, Figures, search
from cleave.reproduce.measures import BEST_LEAF, CHOSEN, accuracy
from cleave.reproduce.ranking_rows import kept, ranked, top
from cleave.settings import Recipe

BATCHES, SNAPSHOTS = 4, 2
"""Of training images, on which a child's statistics are measured; of each leaf, over which accuracies are averaged."""
Ways = Mapping[str, RankQuestion]
TWO_WAYS: Ways = {
    "by-batch": RankQuestion(recalibrate=0),
    "recalibrated": RankQuestion(recalibrate=BATCHES),
}
"""How children are judged: by the statistics of each held-out batch, or by their own on training batches."""
THREE_WAYS: Ways = {**TWO_WAYS, "averaged": RankQuestion(recalibrate=BATCHES, average=SNAPSHOTS)}
"""And by the mean over a leaf's last snapshots."""
TAUS = {
    "by-batch": "tau",
    "recalibrated": "tau, recalibrated",
    "averaged": f"tau, recalibrated, mean of {SNAPSHOTS} snapshots",
}
SAMPLE = {"tiny": 60, "small": 500, "paper": None}
"""Architectures that are ranked, the same ones of every run; None for all."""
IMAGES = {"tiny": 24, "small": 500, "paper": 2000}
"""Held-out ones, at most, by which they are."""
TWO = {"split.splits": 1, "split.branch": 2}
BALANCED = {"method.sampler": "balanced"}
FLOORS = {"parameters": PARAMETERS, "multiply-adds": MULTIPLY_ADDS, "accuracy after 12 epochs": EARLY}
"""What takes no supernet; the last one is trained alone, architecture by architecture."""
WHOLE, COPIES = "no split", "copies by depth"


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
        COPIES: {**alone, "split.splitter": "weight-copies"},
    }
    uniform = [ExperimentRow(name, "rsps", changes) for name, changes in ways.items()]
    sampled = [
        ExperimentRow(f"{name}, balanced", "rsps", {**ways[name], **BALANCED})
        for name in (WHOLE, "parametric", "gradient", COPIES)
    ]
    floors = [ExperimentRow(name, "rsps", alone, run=WHOLE, figure=column) for name, column in FLOORS.items()]
    return [*uniform, *sampled, *floors]


def perform(ways: Ways, folder: Path, recipe: Recipe, budget: Budget, callback: Callback, engine: Engine) -> float:
    """A search, and the ranking of a sample by its weights, judged in several ways."""
    seconds = search(folder, recipe, budget, callback, engine)
    for name, question in ways.items():
        asked = replace(question, sample=SAMPLE[budget], images=IMAGES[budget])
        seconds += ranked(folder, name, asked, callback)
    return seconds


def measured(ways: Ways, folder: Path, row: ExperimentRow) -> Figures:
    """How a run ranks, and the accuracy of what it found; of a floor how that ranks, whatever the statistics.

    A table may lack the accuracies of early epochs: that floor is then undefined.
    """
    rows = {name: kept(folder, name)["rows"].get(row.figure or SUPERNET) for name in ways}
    found = {} if row.figure else accuracy(folder, row)
    by_batch = rows["by-batch"]
    return {
        **{TAUS[name]: [each and each["kendall"]["value"]] for name, each in rows.items()},
        top("1"): [by_batch and by_batch["top"]["1"]["spearman"]],
        CHOSEN: found.get(CHOSEN, [None]),
        BEST_LEAF: found.get(BEST_LEAF, [None]),
    }


TINY, SMALL, PAPER = (SIZES[name] for name in ("tiny", "small", "paper"))
LONG = {"data.limit": 4000, "space.channels": 4}
"""Narrow networks that are trained long: their weights rank better than those of wide ones that are not."""
WHOLE_SET = {"data.limit": None, "space.channels": 4, "search.snapshots": SNAPSHOTS}
"""The same with all images: 391 steps in an epoch."""


def recipes(sizes: Sizes) -> list[ExperimentRow]:
    """One supernet in several ways, as narrow as the budget has it, and four times as wide.

    Its last snapshots are alike, since the learning rate is low by then; those that end cycles are less so.
    """
    wide = {"space.channels": 4 * sizes.common["space.channels"]}
    cycles = {"search.cycles": SNAPSHOTS}
    changes: dict[str, Changes] = {
        "narrow": {},
        f"narrow, {SNAPSHOTS} cycles": cycles,
        "narrow, balanced": BALANCED,
        "wide": wide,
    }
    rows = [ExperimentRow(name, "rsps", {"split.splitter": "none", **change}) for name, change in changes.items()]
    floors = [ExperimentRow(name, "rsps", rows[0].changes, run="narrow", figure=each) for name, each in FLOORS.items()]
    return [*rows, *floors]


COMPARE = (
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
    (COPIES, WHOLE),
    (f"{COPIES}, balanced", f"{WHOLE}, balanced"),
)
NOTES = (
    "Every row takes as many training steps in all. random and parametric look at nothing, so that nothing is "
    "warmed up for them and their two halves are trained for longer.",
    "Copies by depth are the split of the paper of balanced sampling; parametric is the one that gradient matching "
    "finds on NAS-Bench-201 (appendix B.1). The last three rows need no supernet.",
)

RIVALS = [
    Experiment(
        "rivals",
        "Rivals of gradient matching at equal steps",
        "a question of ours, see docs/comparing.md",
        "correlation with test accuracy; of what was found test accuracy, %",
        rivals,
        partial(measured, TWO_WAYS),
        perform=partial(perform, TWO_WAYS),
        sizes={
            "tiny": TINY.with_lengths({"rsps": Length(2, 1)}),
            "small": SMALL.changed(LONG).with_lengths({"rsps": Length(20, 40)}),
            "paper": PAPER.with_lengths({"rsps": Length(20, 50)}),
        },
        seeds={"tiny": (0,), "small": tuple(range(4)), "paper": tuple(range(4))},
        compare=COMPARE,
        notes=NOTES,
    ),
    Experiment(
        "ranking-recipes",
        "How one supernet ranks best",
        "a question of ours, see docs/comparing.md",
        "correlation with test accuracy; of what was found test accuracy, %",
        recipes,
        partial(measured, THREE_WAYS),
        perform=partial(perform, THREE_WAYS),
        sizes={
            "tiny": TINY.changed({"search.snapshots": SNAPSHOTS}).with_lengths({"rsps": Length(0, 2 * SNAPSHOTS)}),
            "small": SMALL.changed(WHOLE_SET).with_lengths({"rsps": Length(0, 26)}),
            "paper": PAPER.changed({"search.snapshots": SNAPSHOTS}).with_lengths({"rsps": Length(0, 1000)}),
        },
        seeds={"tiny": (0,), "small": tuple(range(3)), "paper": tuple(range(4))},
        compare=((f"narrow, {SNAPSHOTS} cycles", "narrow"), ("narrow, balanced", "narrow"), ("wide", "narrow")),
        notes=(f"Wide: four times the channels. Snapshots: the last {SNAPSHOTS} epochs, or those that end cycles.",),
    ),
]
