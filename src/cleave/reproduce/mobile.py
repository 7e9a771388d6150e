"""What the experiments in the MobileNet spaces have in common: their searches, what needs none, their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cleave.data.report import IMAGES
from cleave.net.cost import Costs, costs
from cleave.reproduce.budgets import Length, Sizes
from cleave.reproduce.experiment import ExperimentRow, Figures, Published
from cleave.reproduce.retrained import ANY, CHOSEN, ERROR, beside, drawn, of_chosen
from cleave.retrain.result import read_training
from cleave.run.reading import read_json
from cleave.run.view import view
from cleave.search.problem import limited
from cleave.search.runner import ImagesFile
from cleave.settings import Recipe
from cleave.space import Arch, Space, find_space
from cleave.space.choice import joined
from cleave.space.knapsack import fullest

ONE_SHOT = "one-shot"
BRANCH, TALLER = (2, 3), (2, 2, 2)
"""Groups of each split of the published trees, which have 6 and 8 leaves."""
MOST = "most"
"""The architecture of most multiply-adds, which counting finds."""
FLOORS = {"a random architecture": ANY, "most multiply-adds": MOST}
"""What needs no search, by the name of its row."""
HELD_OUT, PASSES = "held-out", "search passes, thousands"
PARAMETERS, MULTIPLY_ADDS, MILLION = "parameters, M", "multiply-adds, M", 1_000_000
MACS = "multiply_adds"


def trees(sizes: Sizes, method: str, choice: str, leaves: int) -> dict[str, dict[str, Any]]:
    """The searches that split, all with as many epochs as the gradient splits take.

    Few-shot splits `choice`, which has as many candidates as there are `leaves`: each leaf has as many epochs as there
    are, and the rest are before the split. Random: as gradient.
    """
    total = sizes.total_epochs(method, BRANCH)
    each = (total - sizes.length(method).warmup) // leaves
    few_shot = {"split.splitter": "exhaustive", "split.choice": [choice]}
    return {
        "few-shot": {**few_shot, **lasting(Length(total - leaves * each, each))},
        "random": tree("random", BRANCH),
        "gradient": tree("gradient", BRANCH),
    }


def tree(splitter: str, branch: Sequence[int]) -> dict[str, Any]:
    return {"split.splitter": splitter, "split.splits": len(branch), "split.branch": list(branch)}


def lasting(length: Length) -> dict[str, int]:
    return {"split.warmup_epochs": length.warmup, "search.epochs": length.epochs}


def floors(beside: ExperimentRow, ending: str = "") -> list[ExperimentRow]:
    """What needs no search, trained beside a row that does; `ending`: of the names."""
    return [
        ExperimentRow(f"{floor}{ending}", beside.method, beside.changes, {}, beside.dataset, beside.name, figure)
        for floor, figure in FLOORS.items()
    ]


def dataset(sizes: Sizes) -> str:
    """Where the images of a budget come from that does not leave it to its rows."""
    name: str = sizes.common.get("data.name", "cifar10")
    return name


def pairs(*others: str) -> list[tuple[str, str]]:
    """The rows to compare: all with one-shot, and what can be with gradient."""
    return [
        *((way, ONE_SHOT) for way in ("few-shot", "random", "gradient", *others, *FLOORS)),
        *(("gradient", other) for other in ("few-shot", "random", *FLOORS)),
    ]


def published(figures: Sequence[float]) -> dict[str, Published]:
    """Test error in percent, and millions of parameters and multiply-adds."""
    return dict(zip((ERROR, PARAMETERS, MULTIPLY_ADDS), map(Published, figures), strict=False))


def found(folder: Path, recipe: Recipe, method: str) -> Mapping[str, str]:
    """What the search chose, and beside the one-shot search of a method what needs none."""
    chosen = {CHOSEN: view(folder)["chosen"]["arch"]}
    if recipe.split.splitter != "none" or recipe.method.name != method:
        return chosen
    images, space = read_json(folder / IMAGES, ImagesFile), find_space(recipe.space)
    image, classes = (images["channels"], images["size"], images["size"]), len(images["classes"])
    within = limited(recipe, space, image, classes)
    most = largest(space, costs(space, recipe.space.size, image, classes), recipe.limits.most.get(MACS))
    return {**chosen, ANY: drawn(within, recipe.seed), MOST: space.format(most)}


def largest(space: Space, priced: Costs, most: float | None = None) -> Arch:
    """The architecture of most multiply-adds, among those of no more than `most`; exactly.

    Of a space in which everything is valid that is put together from its parts.
    """
    assert space.all_valid
    groups = priced.groups(space.parts(space.region))
    counts = [[cost.multiply_adds for _, cost in group] for group in groups]
    room = sum(map(max, counts)) if most is None else int(most) - priced.common.multiply_adds
    return joined([group[number][0] for group, number in zip(groups, fullest(counts, room), strict=True)])


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
