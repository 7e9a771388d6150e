"""The experiment in the MobileNet space: what Table 5 of GM-NAS tells of ProxylessNAS."""

from __future__ import annotations

from functools import partial
from typing import Any

from cleave.reproduce.budgets import Changes, Sizes
from cleave.reproduce.experiment import Experiment, ExperimentRow
from cleave.reproduce.mobile import (
    BRANCH,
    ONE_SHOT,
    TALLER,
    dataset,
    figures,
    floors,
    found,
    lasting,
    pairs,
    published,
    tree,
    trees,
)
from cleave.reproduce.mobile_sizes import LIMITS, MOBILE_SIZES, TALLER_LENGTH, TRAINED
from cleave.reproduce.retrained import ERROR, performing
from cleave.space.mobilenet import OPERATIONS

METHOD = "proxyless"
TABLE5 = {ONE_SHOT: (24.9, 7.1, 465.0), "few-shot": (24.1, 4.9, 521.0), "gradient": (23.4, 4.9, 530.0)}
"""Test error in percent, and millions of parameters and multiply-adds of the networks that were found."""
FEW_SHOT_BLOCK = "block9"
"""The one in the middle of those that all have as many candidates as the trees have leaves."""


def ways(sizes: Sizes) -> dict[str, dict[str, Any]]:
    """The searches, all with as many epochs as the gradient splits take; one-shot, what is left after its warm-up."""
    leaves = len(sizes.common.get("space.ops", OPERATIONS))
    searches = {
        ONE_SHOT: {"split.splitter": "none", **one_shot_length(sizes)},
        **trees(sizes, METHOD, FEW_SHOT_BLOCK, leaves),
    }
    if sizes.name == "paper":
        searches["gradient, 3 splits"] = {**tree("gradient", TALLER), **lasting(TALLER_LENGTH)}
    return searches


def one_shot_length(sizes: Sizes) -> dict[str, int]:
    """A warm-up that has a learning rate of its own is apart; any other is the beginning of the search."""
    total, warmup = sizes.total_epochs(METHOD, BRANCH), sizes.length(METHOD).warmup
    if "split.warmup_learning_rate" in sizes.common:
        return {"search.epochs": total - warmup}
    return {"search.epochs": total, "method.architecture_after": warmup}


def table5(sizes: Sizes) -> list[ExperimentRow]:
    """All of it without a limit, then with one."""
    return [row for limit, changes in LIMITS.items() for row in block(sizes, limit, changes[sizes.name])]


def block(sizes: Sizes, limit: str, changes: Changes) -> list[ExperimentRow]:
    """The searches under a limit; what needs no search is trained beside the one-shot search."""
    known = {} if changes else TABLE5
    rows = [
        ExperimentRow(f"{way}, {limit}", METHOD, {**own, **changes}, published(known.get(way, ())), dataset(sizes))
        for way, own in ways(sizes).items()
    ]
    return rows + floors(rows[0], f", {limit}")


MOBILE_SPACE = [
    Experiment(
        "table5-proxyless",
        "ProxylessNAS in the MobileNet space",
        "GM-NAS, Table 5",
        "test error and held-out accuracy, %",
        table5,
        figures,
        perform=performing(partial(found, method=METHOD), TRAINED),
        sizes=MOBILE_SIZES,
        searches=False,
        looks_up=False,
        compare=tuple(
            (f"{one}, {limit}", f"{other}, {limit}") for limit in LIMITS for one, other in pairs("gradient, 3 splits")
        ),
        compared=(ERROR,),
        notes=(
            "Every search takes as many epochs in all. Leaves are chosen by the lowest loss of their supernet on "
            "held-out images; networks are trained on all training images, and tested once.",
            "held-out is the accuracy of what was chosen, by the weights of the search. Passes are over a mini-batch: "
            "of weight steps, of architecture steps and of comparisons.",
            f"Few-shot splits {FEW_SHOT_BLOCK}. The last two rows of a block need no search.",
            "The paper's one-shot network is that of ProxylessNAS for GPUs, found with wider layers and another number "
            "of epochs. Its searches took 8.3 (one-shot), 20.75 (few-shot) and 24.9 GPU-days (gradient).",
        ),
    )
]
