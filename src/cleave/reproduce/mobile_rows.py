"""The experiment in the MobileNet space: what Table 5 of GM-NAS tells of ProxylessNAS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleave.data.report import IMAGES
from cleave.net.cost import Costs, costs
from cleave.reproduce.budgets import Changes, Length, Sizes
from cleave.reproduce.experiment import Experiment, ExperimentRow, Figures, Published
from cleave.reproduce.mobile_sizes import BRANCH, LIMITS, MOBILE_SIZES, TALLER, TALLER_LENGTH, TRAINED
from cleave.reproduce.retrained import ANY, CHOSEN, ERROR, beside, drawn, of_chosen, performing
from cleave.retrain.result import read_training
from cleave.run.reading import read_json
from cleave.run.view import view
from cleave.search.problem import limited
from cleave.search.runner import ImagesFile
from cleave.settings import Recipe
from cleave.space import Arch, Space, find_space
from cleave.space.mobilenet import OPERATIONS

MOST = "most"
"""The architecture of most multiply-adds, which counting finds."""
HELD_OUT, PASSES = "held-out", "search passes, thousands"
PARAMETERS, MULTIPLY_ADDS, MILLION = "parameters, M", "multiply-adds, M", 1_000_000

ONE_SHOT = "one-shot"
TABLE5 = {ONE_SHOT: (24.9, 7.1, 465.0), "few-shot": (24.1, 4.9, 521.0), "gradient": (23.4, 4.9, 530.0)}
"""Test error in percent, and millions of parameters and multiply-adds of the networks that were found."""
FLOORS = {"a random architecture": ANY, "most multiply-adds": MOST}
"""What needs no search, by the name of its row."""
FEW_SHOT_BLOCK = "block9"
"""The one in the middle of those that all have as many candidates as the trees have leaves."""


def ways(sizes: Sizes) -> dict[str, dict[str, Any]]:
    """The searches, all with as many epochs as the gradient splits take.

    One-shot: the warm-up, then all that is left. Few-shot: as many for each leaf as there are, the rest before the
    split. Random: as gradient.
    """
    length, total = sizes.lengths["proxyless"], sizes.total_epochs("proxyless", BRANCH)
    leaves = len(sizes.common.get("space.ops", OPERATIONS))
    each = (total - length.warmup) // leaves
    found = {
        ONE_SHOT: {"split.splitter": "none", **one_shot_length(sizes, total)},
        "few-shot": {
            "split.splitter": "exhaustive",
            "split.choice": [FEW_SHOT_BLOCK],
            **lasting(Length(total - leaves * each, each)),
        },
        "random": tree("random", BRANCH),
        "gradient": tree("gradient", BRANCH),
    }
    if sizes.name == "paper":
        found["gradient, 3 splits"] = {**tree("gradient", TALLER), **lasting(TALLER_LENGTH)}
    return found


def one_shot_length(sizes: Sizes, total: int) -> dict[str, int]:
    """A warm-up that has a learning rate of its own is apart; any other is the beginning of the search."""
    warmup = sizes.lengths["proxyless"].warmup
    if "split.warmup_learning_rate" in sizes.common:
        return {"search.epochs": total - warmup}
    return {"search.epochs": total, "method.architecture_after": warmup}


def tree(splitter: str, branch: tuple[int, ...]) -> dict[str, Any]:
    return {"split.splitter": splitter, "split.splits": len(branch), "split.branch": list(branch)}


def lasting(length: Length) -> dict[str, int]:
    return {"split.warmup_epochs": length.warmup, "search.epochs": length.epochs}


def table5(sizes: Sizes) -> list[ExperimentRow]:
    """All of it without a limit, then with one."""
    return [row for limit, changes in LIMITS.items() for row in block(sizes, limit, changes[sizes.name])]


def block(sizes: Sizes, limit: str, changes: Changes) -> list[ExperimentRow]:
    """The searches under a limit; what needs no search is trained beside the one-shot search."""
    searches = {way: {**own, **changes} for way, own in ways(sizes).items()}
    known, data = {} if changes else TABLE5, sizes.common.get("data.name", "cifar10")
    rows = [
        ExperimentRow(f"{way}, {limit}", "proxyless", keys, published(known.get(way, ())), data)
        for way, keys in searches.items()
    ]
    run = f"{ONE_SHOT}, {limit}"
    return rows + [
        ExperimentRow(f"{floor}, {limit}", "proxyless", searches[ONE_SHOT], {}, data, run, figure)
        for floor, figure in FLOORS.items()
    ]


def published(figures: tuple[float, ...]) -> dict[str, Published]:
    return dict(zip((ERROR, PARAMETERS, MULTIPLY_ADDS), map(Published, figures), strict=False))


def found(folder: Path, recipe: Recipe) -> Mapping[str, str]:
    """What the search chose, and beside the one-shot search what needs none."""
    chosen = {CHOSEN: view(folder)["chosen"]["arch"]}
    if recipe.split.splitter != "none":
        return chosen
    images, space = read_json(folder / IMAGES, ImagesFile), find_space(recipe.space)
    image = (images["channels"], images["size"], images["size"])
    space = limited(recipe, space, image, len(images["classes"]))
    most = largest(space, costs(space, recipe.space.size, image))
    return {**chosen, ANY: drawn(space, recipe.seed), MOST: space.format(most)}


def largest(space: Space, priced: Costs) -> Arch:
    """The architecture of most multiply-adds.

    A space derives the valid one with the largest product of weights. Weights are exponentials here, so that it has the
    largest sum.
    """
    first = {choice.name: choice.candidates[0] for choice in space.choices}
    unit = priced.of(first).multiply_adds

    def weights(choice: str, candidates: tuple[str, ...]) -> Tensor:
        counts = [priced.of({**first, choice: candidate}).multiply_adds for candidate in candidates]
        return torch.tensor([(count - max(counts)) / unit for count in counts], dtype=torch.float64).exp()

    region = space.region
    return space.derive(region, {name: weights(name, names) for name, names in region.allowed.items()})


def figures(folder: Path, row: ExperimentRow) -> Figures:
    """Of the trained network, and of the search where the row is about what it chose."""
    network = read_training(beside(folder, row.figure or CHOSEN))
    return {
        **of_chosen(folder, row),
        **(dict.fromkeys((HELD_OUT, PASSES), (None,)) if row.figure else of_search(folder)),
        PARAMETERS: [network.parameters / MILLION],
        MULTIPLY_ADDS: [network.multiply_adds / MILLION],
    }


def of_search(folder: Path) -> Figures:
    """The held-out accuracy of what was chosen, and the work: passes over a mini-batch."""
    result = view(folder)
    passes = sum(result["cost"][key] for key in ("weight_steps", "arch_steps", "split_passes"))
    return {HELD_OUT: [result["chosen"]["valid_accuracy"]], PASSES: [passes / 1000]}


PAIRS = (
    *((way, ONE_SHOT) for way in ("few-shot", "random", "gradient", "gradient, 3 splits", *FLOORS)),
    *(("gradient", other) for other in ("few-shot", "random", *FLOORS)),
)
MOBILE_SPACE = [
    Experiment(
        "table5-proxyless",
        "ProxylessNAS in the MobileNet space",
        "GM-NAS, Table 5",
        "test error and held-out accuracy, %",
        table5,
        figures,
        perform=performing(found, TRAINED),
        sizes=MOBILE_SIZES,
        searches=False,
        looks_up=False,
        compare=tuple((f"{one}, {limit}", f"{other}, {limit}") for limit in LIMITS for one, other in PAIRS),
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
