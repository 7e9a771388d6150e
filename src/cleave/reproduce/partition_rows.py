"""The experiments on the cuts themselves: which operations fall together, and whether another cut would differ."""

from __future__ import annotations

from pathlib import Path

import torch

from cleave.reproduce.budgets import Sizes
from cleave.reproduce.experiment import Experiment, ExperimentRow, Figures, Published
from cleave.reproduce.measures import apart, read_tree, scores_of
from cleave.reproduce.searches import METHOD_NAMES
from cleave.split.cuts import CUTS
from cleave.split.partition import canonical

ONE_SPLIT = {"split.splitter": "gradient", "split.splits": 1, "search.epochs": 1}
"""What is measured is known before the leaves are searched, so that their search is as short as can be."""


def falling_together(sizes: Sizes) -> list[ExperimentRow]:
    """With and without warm-up, with five operations and four."""
    always = {"edges": Published(100.0)}
    return [
        ExperimentRow(
            f"{METHOD_NAMES[method]}, {operations} operations, warm-up epochs: {warmup}",
            method,
            {**ONE_SPLIT, "space.ops": operations, "split.warmup_epochs": warmup},
            always if warmup else {},
        )
        for method in ("darts", "rsps")
        for operations in (5, 4)
        for warmup in (sizes.lengths[method].warmup, 0)
    ]


def other_cuts(sizes: Sizes) -> list[ExperimentRow]:
    """The similarities of two levels of splits."""
    return [
        ExperimentRow(
            f"{METHOD_NAMES[method]}, {operations} operations",
            method,
            {**ONE_SPLIT, "split.splits": 2, "space.ops": operations},
        )
        for method in ("darts", "rsps")
        for operations in (5, 4)
    ]


def cuts(folder: Path, row: ExperimentRow) -> Figures:
    """On how many percent of all scored edges another cut gives the groups of the balanced minimum cut."""
    scores = [score for node in read_tree(folder) for score in scores_of(node).values()]
    similarities = [torch.tensor(score["similarities"], dtype=torch.float64) for score in scores]
    balanced = [
        canonical([[score["candidates"].index(name) for name in group] for group in score["groups"]])
        for score in scores
    ]
    found = {}
    for name, cut in CUTS.items():
        if name != "balanced":
            same = [cut(each, len(groups)) == groups for each, groups in zip(similarities, balanced, strict=True)]
            found[name] = [100 * sum(same) / len(scores)]
    return found


PARTITIONS = [
    Experiment(
        "appendixB1",
        "Edges on which the convolutions fall apart from the rest",
        "GM-NAS, appendix B.1",
        "% of the root's 6 edges",
        falling_together,
        apart,
        looks_up=False,
        notes=('The paper: "always"; it does not say with how many operations.',),
    ),
    Experiment(
        "appendixB3",
        "Edges on which another cut gives the same groups as the balanced one",
        "GM-NAS, appendix B.3",
        "% of all scored edges",
        other_cuts,
        cuts,
        looks_up=False,
        notes=('The paper: "mostly produce identical cuts"; it has no figure.',),
    ),
]
