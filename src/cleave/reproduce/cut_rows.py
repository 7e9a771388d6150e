"""The experiments on how settled a cut is, and on collapse: what is decided, whatever it is worth in the end."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

from cleave.guards.collapse import skip_share
from cleave.reproduce.budgets import SIZES, Changes, Length, Sizes
from cleave.reproduce.experiment import Experiment, ExperimentRow, Figures
from cleave.reproduce.grid import slug
from cleave.reproduce.measures import accuracy, apart, read_tree, scores_of
from cleave.reproduce.partition_rows import ONE_SPLIT
from cleave.reproduce.searches import FEW_OPERATIONS, FOUR, GRADIENT, METHOD_NAMES, RANDOM, one_shot
from cleave.run.origin import SEARCH, read_origin
from cleave.run.view import is_finished, view
from cleave.search.runner import recipe_of
from cleave.space import find_space

BATCHES = {"tiny": (8, 2), "small": (100, 10), "paper": (100, 10)}
"""Mini-batches by which candidates are compared: as many as in the paper, and a tenth of them."""


def ways(sizes: Sizes) -> list[ExperimentRow]:
    """The same supernets, warmed up alike, whose candidates are compared in several ways.

    Cosines: the mean of those of single mini-batches, as in the released code.
    """
    many, few = BATCHES[sizes.name]
    changes: dict[str, Changes] = {
        f"gradients, {many} batches": {"split.average": "gradients", "split.batches": many},
        f"gradients, {few} batches": {"split.average": "gradients", "split.batches": few},
        f"gradients, a race of at most {many}": {"split.batches": many, "split.rule": "race"},
        f"cosines, {many} batches": {"split.average": "similarities", "split.batches": many},
        f"cosines, {few} batches": {"split.average": "similarities", "split.batches": few},
    }
    first = next(iter(changes))
    return [
        ExperimentRow(
            f"{METHOD_NAMES[method]}, {way}", method, {**ONE_SPLIT, **change}, figure=f"{METHOD_NAMES[method]}, {first}"
        )
        for method in ("rsps", "darts")
        for way, change in changes.items()
    ]


def settled(folder: Path, row: ExperimentRow) -> Figures:
    """How a root is cut, and how that agrees with the paper's way, `figure`, on the weights of the same seed."""
    cut = root(folder)
    edges = sorted(scores_of(cut))
    return {
        **agreement(cut, twin(folder, row.figure)),
        "edges with convolutions | rest, %": apart(folder, row)["edges"],
        "number of the edge": [float(edges.index(cut["split"]["choice"]))],
    }


def agreement(cut: dict[str, Any], twin: Path) -> Figures:
    """Undefined where the other row was not run."""
    if not is_finished(twin):
        return {"edges with the same groups, %": [None], "the same edge is split, %": [None]}
    other = root(twin)
    mine, theirs = scores_of(cut), scores_of(other)
    same = [groups_of(mine[edge]) == groups_of(theirs[edge]) for edge in theirs]
    return {
        "edges with the same groups, %": [100 * mean(same)],
        "the same edge is split, %": [100.0 * (cut["split"]["choice"] == other["split"]["choice"])],
    }


def root(folder: Path) -> dict[str, Any]:
    return read_tree(folder)[0]


def twin(folder: Path, row: str) -> Path:
    """The folder of another row's run of the same seed."""
    return folder.with_name(f"{slug(row)}-{folder.name.rpartition('-')[2]}")


def groups_of(score: dict[str, Any]) -> set[frozenset[str]]:
    return set(map(frozenset, score["groups"]))


def long_searches(sizes: Sizes) -> list[ExperimentRow]:
    """One supernet for as long as a leaf and for as long as all of a tree, and leaves of two levels of splits."""
    return [
        ExperimentRow("no split, as long as a leaf", "darts", {"split.splitter": "none"}),
        ExperimentRow("no split, as many epochs", "darts", one_shot(sizes, "darts")),
        ExperimentRow("random", "darts", RANDOM),
        ExperimentRow("gradient", "darts", GRADIENT),
    ]


def collapsed(folder: Path, row: ExperimentRow) -> Figures:
    """What was found, and how much of it is skip connections."""
    recipe = recipe_of(read_origin(folder, SEARCH), {})
    space, told = find_space(recipe.space), view(folder)
    skipping = {
        leaf["arch"]: 100 * skip_share(space.layout(recipe.space.size, 3), space.parse(leaf["arch"]))
        for leaf in told["leaves"]
    }
    return {
        **accuracy(folder, row),
        "skip connections, average leaf, %": [mean(skipping[leaf["arch"]] for leaf in told["leaves"])],
        "skip connections, chosen leaf, %": [skipping[told["chosen"]["arch"]]],
    }


LONG = {"data.limit": 8000, "space.channels": 4}
"""63 steps in an epoch."""

SETTLED = [
    Experiment(
        "cuts",
        "Gradients or cosines, and how settled a cut is",
        "a question of ours about algorithm 2 of GM-NAS and its released code",
        "see each measure",
        ways,
        settled,
        sizes={
            **SIZES,
            "tiny": FEW_OPERATIONS,
            "small": SIZES["small"].changed(LONG).with_lengths({"rsps": Length(25, 1), "darts": Length(5, 1)}),
        },
        seeds={"tiny": (0,), "small": tuple(range(6)), "paper": tuple(range(4))},
        looks_up=False,
        notes=(
            "All ways of a seed compare on the same weights; agreement is with the first of them. "
            "The edge is counted from 0 in the order of the cell's code.",
        ),
    ),
    Experiment(
        "collapse",
        "One-shot DARTS and its splits, trained long",
        "GM-NAS, Tables 1 and 3",
        "test accuracy, %; of skip connections their share",
        long_searches,
        collapsed,
        FOUR,
        sizes={**SIZES, "small": SIZES["small"].changed(LONG).with_lengths({"darts": Length(4, 9)})},
        compare=(
            ("no split, as many epochs", "no split, as long as a leaf"),
            ("gradient", "no split, as many epochs"),
            ("gradient", "random"),
        ),
    ),
]
