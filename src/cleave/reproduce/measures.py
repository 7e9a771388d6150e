"""What is measured of a finished run."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

from cleave.reproduce.experiment import ExperimentRow, Figures
from cleave.run.folder import TREE
from cleave.run.outcome import check_written
from cleave.run.reading import read_file
from cleave.run.view import newest_saved, view

BEST_LEAF = "best leaf, by the table"
"""What the paper reports: the leaf whose architecture tests best, which only the benchmark can tell."""
MEAN_LEAF = "average leaf"
"""It does not grow with the number of leaves, as the best of more leaves does by luck alone."""
CHOSEN = "chosen leaf, held out"
"""The leaf chosen by held-out accuracy: what somebody without the benchmark would have got."""

PARAMETRIC = {"nor_conv_1x1", "nor_conv_3x3"}


def accuracy(folder: Path, row: ExperimentRow) -> Figures:
    """Test accuracy (percent) after training alone, by the benchmark table."""
    result = view(folder)
    leaves = [leaf["benchmark"][row.dataset]["test"] for leaf in result["leaves"]]
    chosen = result["chosen"]["benchmark"][row.dataset]["test"]
    return {BEST_LEAF: [max(leaves)], MEAN_LEAF: [mean(leaves)], CHOSEN: [chosen]}


def apart(folder: Path, row: ExperimentRow) -> Figures:
    """On how many percent of the root's edges the best balanced cut puts the convolutions together and alone."""
    groups = [set(map(frozenset, score["groups"])) for score in scores_of(read_tree(folder)[0]).values()]
    return {"edges": [100 * sum(frozenset(PARAMETRIC) in parts for parts in groups) / len(groups)]}


def scores_of(node: dict[str, Any]) -> dict[str, Any]:
    """A node's scores by choice; none where it was not split by gradients."""
    scores: dict[str, Any] = node["split"]["scores"] if node["split"] else {}
    return scores


def read_tree(folder: Path) -> list[dict[str, Any]]:
    """The nodes of a finished run's tree, the root first."""
    check_written(folder, newest_saved(folder)["finished"], (TREE,))
    nodes: list[dict[str, Any]] = json.loads(read_file(folder / TREE))
    return nodes
