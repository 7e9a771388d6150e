"""Which leaf a search chooses: several ways to tell, all from held-out images, and what each of them chooses.

GM-NAS, appendix C and Table 8. No way is better for having been asked: what was measured is told side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from cleave.search.state import State
from cleave.settings import Recipe
from cleave.split import Node
from cleave.stats.accuracy import Accuracy
from cleave.stats.intervals import wilson


class Standing(NamedTuple):
    """How a leaf stands by one way: `figure` in percent or as a loss, after `rungs` of those that only some reach."""

    rungs: int
    figure: float


@dataclass(frozen=True)
class Way:
    """A way to choose among leaves. `standing` is None of a leaf of which it was not measured.

    `loss`: the figure is a loss, of which less is better; else the percent of the held-out images that are right.
    """

    standing: Callable[[State, Node], Standing | None]
    loss: bool = False

    def standings(self, state: State) -> list[tuple[Node, Standing]]:
        """Of all leaves that have one, in the order of the tree."""
        found = [(leaf, self.standing(state, leaf)) for leaf in state.searched]
        return [(leaf, standing) for leaf, standing in found if standing is not None]

    def best(self, state: State) -> Node | None:
        """The leaf that it chooses: of those that got furthest the best; the first wins ties."""
        found = self.standings(state)
        return max(found, key=lambda each: self._rank(each[1]))[0] if found else None

    def _rank(self, standing: Standing) -> tuple[int, float]:
        return standing.rungs, -standing.figure if self.loss else standing.figure

    def intervals(self, state: State, images: int) -> dict[str, tuple[float, float]]:
        """95 % intervals of the percents of the leaves that got furthest, by leaf; none of losses."""
        found = [] if self.loss else self.standings(state)
        last = max((standing.rungs for _, standing in found), default=0)
        return {leaf.label: interval(each.figure, images) for leaf, each in found if each.rungs == last}


def told(key: str, state: State, leaf: Node) -> Standing | None:
    """By a figure of the leaf's result."""
    assert leaf.result is not None
    figure = leaf.result.get(key)
    return None if figure is None else Standing(0, figure)


def retrained(state: State, leaf: Node) -> Standing | None:
    """By the last accuracy of its architecture, retrained."""
    found = state.retrained_of(leaf)
    return Standing(len(found), found[-1].overall) if found else None


WAYS = {
    "mixture-loss": Way(partial(told, "mixture_loss"), loss=True),
    "mixture-accuracy": Way(partial(told, "mixture_accuracy")),
    "accuracy": Way(partial(told, "valid_accuracy")),
    "halving": Way(retrained),
}
"""By their names in a recipe (`selection.by`), in the order of the paper's Table 8."""


def chosen_leaf(recipe: Recipe, state: State) -> Node:
    """The leaf that a finished search chooses."""
    leaf = WAYS[recipe.selection.by].best(state)
    assert leaf is not None, "resolving refuses a way by which nothing is measured"
    return leaf


def interval(percent: float, images: int) -> tuple[float, float]:
    """The 95 % interval of a percentage of so many images."""
    low, high = wilson(round(percent / 100 * images), images)
    return 100 * low, 100 * high


def selection_json(recipe: Recipe, state: State) -> dict[str, Any]:
    """The content of result.json's "selection": every leaf's figures, and the leaf that each way chooses.

    `retrained` has the accuracies of the leaf's architecture when it was retrained to each number of epochs that it
    reached. What was not measured is null.
    """
    return {
        "by": recipe.selection.by,
        "leaves": [leaf_json(recipe, state, leaf) for leaf in state.searched],
        "chosen": {name: None if (best := way.best(state)) is None else best.label for name, way in WAYS.items()},
    }


def leaf_json(recipe: Recipe, state: State, leaf: Node) -> dict[str, Any]:
    assert leaf.result is not None
    rungs = zip(recipe.selection.schedule or (), state.retrained_of(leaf), strict=False)
    return {
        "path": leaf.label,
        "mixture_loss": leaf.result.get("mixture_loss"),
        "mixture_accuracy": leaf.result.get("mixture_accuracy"),
        "valid_accuracy": leaf.result["valid_accuracy"],
        "retrained": [rung_json(epochs, accuracy) for epochs, accuracy in rungs] or None,
    }


def rung_json(epochs: int, accuracy: Accuracy) -> dict[str, Any]:
    return {
        "epochs": epochs,
        "valid_accuracy": accuracy.overall,
        "valid_balanced_accuracy": accuracy.balanced,
    }
