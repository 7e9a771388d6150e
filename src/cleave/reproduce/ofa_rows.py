"""The experiments in the space of Once-for-All: what Tables 5 and 9 of GM-NAS tell of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from cleave.method.once_for_all import Sandwich, SandwichSettings, Subnets, SubnetsSettings
from cleave.method.shrinking import Shrinking, ShrinkingSettings
from cleave.reproduce.budgets import Sizes
from cleave.reproduce.experiment import Experiment, ExperimentRow
from cleave.reproduce.mobile import (
    BRANCH,
    ONE_SHOT,
    TALLER,
    dataset,
    figures,
    floors,
    found,
    pairs,
    published,
    tree,
    trees,
)
from cleave.reproduce.ofa_sizes import FULL, OFA_SIZES, TRAINED
from cleave.reproduce.retrained import ERROR, chosen, performing
from cleave.space.ofa import KERNELS, MobileNetOfa

METHOD = "shrinking"
OTHERS = {"sandwich": Sandwich.paths_each(SandwichSettings()), "subnets": Subnets.paths_each(SubnetsSettings())}
"""The other trainers, by the networks that a weight step of theirs trains."""
PUBLISHED = {
    ONE_SHOT: (20.3, 9.1, 595.0),
    "few-shot": (20.2, 9.2, 600.0),
    "gradient": (19.7, 9.3, 587.0),
    "gradient, 2 splits": (19.7, 9.3, 587.0),
    "gradient, 3 splits": (19.4, 9.24, 584.0),
}
"""Test error in percent, and millions of parameters and multiply-adds, as GM-NAS reproduced them."""
MIDDLE = {"tiny": "kernel5", "small": "kernel10", "paper": "kernel10"}
"""The kernel in the middle of all blocks, which few-shot splits."""


def one_shot(sizes: Sizes) -> dict[str, Any]:
    """As many epochs as the gradient splits take in all."""
    return {"split.splitter": "none", "search.epochs": sizes.total_epochs(METHOD, BRANCH)}


def from_full(searches: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Searches that split with their warm-up mostly in the largest network's phase."""
    return {way: {**own, "method.full": FULL} for way, own in searches.items()}


def networks(epochs: int) -> int:
    """How many networks the one-shot search of `epochs` epochs trains, counted for one step in each epoch."""
    space = MobileNetOfa()
    shrinking = Shrinking(ShrinkingSettings(), space, space.region, torch.Generator())
    return sum(phase.epochs * phase.networks for phase in shrinking.phases(epochs, searching=True, taught=False))


def row(sizes: Sizes, way: str, changes: dict[str, Any], method: str = METHOD) -> ExperimentRow:
    return ExperimentRow(way, method, changes, published(PUBLISHED.get(way, ())), dataset(sizes))


def table5(sizes: Sizes) -> list[ExperimentRow]:
    """Progressive shrinking in every way; the other trainers on as many networks as it trains one-shot; floors."""
    alone = one_shot(sizes)
    ways = {ONE_SHOT: alone, **from_full(trees(sizes, METHOD, MIDDLE[sizes.name], len(KERNELS)))}
    trained = networks(alone["search.epochs"])
    rows = [row(sizes, way, changes) for way, changes in ways.items()]
    rows += [row(sizes, other, {**alone, "search.epochs": trained // each}, other) for other, each in OTHERS.items()]
    return rows + floors(rows[0])


def table9(sizes: Sizes) -> list[ExperimentRow]:
    """A larger tree, whose nodes are trained as long as those of the smaller one."""
    splits = from_full({f"gradient, {len(branch)} splits": tree("gradient", branch) for branch in (BRANCH, TALLER)})
    return [row(sizes, way, changes) for way, changes in {ONE_SHOT: one_shot(sizes), **splits}.items()]


NOTES = (
    "Splits are of kernels. Before the first one the largest network is trained and kept, and leaves begin with its "
    f"weights: it is trained alone for a share of {FULL} of the epochs there are then, and one-shot for .3 of all, as "
    "published; the paper's splits began with a network that others had trained for 185 epochs.",
    "Leaves are chosen by the lowest loss of their supernet on held-out images; each derives its architecture by an "
    "evolution within the limit, all equally long, judged by recalibrated statistics. Networks are trained on all "
    "training images, and tested once. held-out is the accuracy of what was chosen, by the weights of the search.",
    "Passes are over a mini-batch: of networks trained and of comparisons, without the answers of teachers and without "
    "evaluations.",
    "The budget paper trains from scratch as the paper does but for what the recipe gm-imagenet has not: lookahead and "
    "the larger teacher, of which the paper names no weights. Supernets see images of one size.",
)
OFA_SPACE = [
    Experiment(
        "table5-ofa",
        "Once-for-All under a limit",
        "GM-NAS, Table 5",
        "test error and held-out accuracy, %",
        table5,
        figures,
        perform=performing(partial(found, method=METHOD), TRAINED),
        sizes=OFA_SIZES,
        searches=False,
        looks_up=False,
        compare=tuple(pairs(*OTHERS)),
        compared=(ERROR,),
        notes=(
            "Searches by progressive shrinking take as many epochs in all, whatever the splits. A weight step of the "
            "trainers sandwich and subnets has 4 and 2 networks: they train as many networks as one-shot shrinking, "
            "not for as many epochs. The last two rows need no search.",
            *NOTES,
        ),
    ),
    Experiment(
        "table9",
        "Once-for-All with more splits",
        "GM-NAS, Table 9",
        "test error and held-out accuracy, %",
        table9,
        figures,
        perform=performing(chosen, TRAINED),
        sizes=OFA_SIZES,
        searches=False,
        looks_up=False,
        compare=(("gradient, 3 splits", "gradient, 2 splits"), ("gradient, 3 splits", ONE_SHOT)),
        compared=(ERROR,),
        notes=(
            "One-shot takes as many epochs in all as 2 splits. 3 splits have more: as many in each of their 8 leaves "
            "and of the 7 nodes above.",
            *NOTES,
        ),
    ),
]
