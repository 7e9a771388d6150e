"""The experiments in the DARTS space: Tables 4 and 8, whose searches' cells are Figures 3 to 14 of GM-NAS."""

from __future__ import annotations

from typing import Any

from cleave.reproduce.budgets import Sizes
from cleave.reproduce.experiment import Experiment, ExperimentRow, Published
from cleave.reproduce.retrained import ANY, ERROR, MAX, by_every_way, chosen, every, of_chosen, performing
from cleave.reproduce.retrained_sizes import BRANCH, DARTS_SIZES, SPLITS, TRAINED, halving
from cleave.space.darts import OPERATIONS

NAMES = {"darts": "DARTS (1st)", "darts2": "DARTS (2nd)", "snas": "SNAS"}
SPLIT = {"split.splits": SPLITS, "split.branch": BRANCH}
GRADIENT = {"split.splitter": "gradient", **SPLIT}
RANDOM = {"split.splitter": "random", **SPLIT}

TABLE4 = {
    ("darts", "no split"): (3.00, 0.14),
    ("darts", "few-shot"): (2.60, 0.10),
    ("darts", "random split"): None,
    ("darts", "gradient"): (2.46, 0.07),
    ("darts2", "no split"): (2.76, 0.09),
    ("darts2", "few-shot"): (2.63, 0.06),
    ("darts2", "gradient"): (2.49, 0.08),
    ("snas", "no split"): (2.85, 0.02),
    ("snas", "few-shot"): (2.70, 0.05),
    ("snas", "gradient"): (2.55, 0.16),
}
"""Test errors of the networks that were chosen, percent: mean and deviation (over trainings alone, where unsplit)."""

TABLE8 = {
    ("darts", "few-shot"): ((2.88, 0.15), (2.73, 0.21), (2.60, 0.10), (2.60, 0.10)),
    ("darts", "gradient"): ((2.73, 0.17), (2.68, 0.17), (2.46, 0.07), (2.46, 0.07)),
    ("darts2", "few-shot"): ((3.00, 0.16), (3.42, 0.11), (2.63, 0.06), (2.63, 0.06)),
    ("darts2", "gradient"): ((2.68, 0.11), (2.68, 0.08), (2.49, 0.08), (2.49, 0.08)),
    ("snas", "few-shot"): ((3.15, 0.24), (3.32, 0.34), (2.70, 0.05), (2.70, 0.05)),
    ("snas", "gradient"): ((2.70, 0.17), (2.72, 0.20), (2.55, 0.16), (2.55, 0.17)),
}
WAYS = ("mixture-accuracy", "mixture-loss", MAX, "halving")
"""What the columns of Table 8 are called here: validation accuracy and loss of the supernet, max, halving."""


def changes(sizes: Sizes, method: str, splitting: str) -> dict[str, Any]:
    """As many epochs as the gradient splits take in all, whatever the splitting; only leaves are halved."""
    total, budget = sizes.total_epochs(method, (BRANCH,) * SPLITS), sizes.name
    leaves = len(sizes.common.get("space.ops", OPERATIONS))
    return {
        "no split": {"split.splitter": "none", "search.epochs": total},
        "few-shot": {
            "split.splitter": "exhaustive",
            "split.splits": 1,
            "search.epochs": max(1, (total - sizes.lengths["darts"].warmup) // leaves),
            **halving(budget),
        },
        "random split": {**RANDOM, **halving(budget)},
        "gradient": {**GRADIENT, **halving(budget)},
    }[splitting]


def table4(sizes: Sizes) -> list[ExperimentRow]:
    """Random search trains architectures by themselves, each as long as a leaf is searched."""
    rows = [
        ExperimentRow(
            f"{NAMES[method]}, {splitting}",
            method,
            changes(sizes, method, splitting),
            {} if figure is None else {ERROR: Published(*figure)},
        )
        for (method, splitting), figure in TABLE4.items()
    ]
    epochs = {
        "search.epochs": sizes.total_epochs("darts", (BRANCH,) * SPLITS),
        "method.epochs_each": sizes.lengths["darts"].epochs,
    }
    searched = {"split.splitter": "none", **epochs}
    run = "random search"
    return [
        *rows,
        ExperimentRow("random search", "random", searched, run=run),
        ExperimentRow("a random architecture", "random", searched, run=run, figure=ANY),
    ]


def table8(sizes: Sizes) -> list[ExperimentRow]:
    return [
        ExperimentRow(
            f"{NAMES[method]}, {splitting}",
            method,
            changes(sizes, method, splitting),
            {way: Published(*figure) for way, figure in zip(WAYS, figures, strict=True)},
        )
        for (method, splitting), figures in TABLE8.items()
    ]


NOTE = (
    "Networks are chosen by held-out images alone, trained on all training images, and tested once. "
    "The cells that were found are drawn beside the run folders."
)
DARTS_SPACE = [
    Experiment(
        "table4",
        "The DARTS space on CIFAR-10",
        "GM-NAS, Table 4 and Figures 3 to 14",
        "test error, %",
        table4,
        of_chosen,
        perform=performing(chosen, TRAINED),
        sizes=DARTS_SIZES,
        searches=False,
        looks_up=False,
        compare=(
            ("DARTS (1st), gradient", "DARTS (1st), no split"),
            ("DARTS (1st), gradient", "DARTS (1st), few-shot"),
            ("DARTS (1st), gradient", "DARTS (1st), random split"),
            ("DARTS (1st), gradient", "random search"),
            ("DARTS (1st), gradient", "a random architecture"),
        ),
        notes=(NOTE, "Rows without a figure of the paper are controls."),
    ),
    Experiment(
        "table8",
        "Ways to choose among leaves",
        "GM-NAS, Table 8",
        "test error, %",
        table8,
        by_every_way,
        perform=performing(every, TRAINED),
        sizes=DARTS_SIZES,
        searches=False,
        looks_up=False,
        notes=(
            NOTE,
            "mixture-accuracy and mixture-loss are the paper's validation accuracy and loss; accuracy is of a leaf's "
            "architecture under shared weights; max is the leaf that tests best, which nobody can choose.",
        ),
    ),
]
