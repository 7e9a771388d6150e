"""The choice among leaves: each way takes the figure that it names, and all are told side by side."""

from __future__ import annotations

import random
from typing import Any

import pytest

from cleave.search.selection import WAYS, chosen_leaf, interval, selection_json
from cleave.search.state import State
from cleave.settings import Recipe, SelectionSettings
from cleave.space import find_space
from cleave.split import Node, Split, Tree
from cleave.stats.accuracy import Accuracy

SPACE = find_space("nasbench201")
OPERATIONS = SPACE.choices[0].candidates


def searched(*results: dict[str, Any]) -> State:
    """A finished search of as many leaves, with architectures of their own."""
    state = State(Tree(SPACE.region))
    groups = (OPERATIONS[:1], OPERATIONS[1:2], OPERATIONS[2:])
    state.tree.grow(state.tree.nodes[()], Split("1<-0", OPERATIONS, groups, {}), SPACE.holds_valid)
    for leaf, result in zip(state.tree.leaves, results, strict=True):
        arch = {choice: names[-1] for choice, names in leaf.region.allowed.items()}
        leaf.result = {"arch": SPACE.format(arch), "valid_accuracy": 0.0, **result}
    return state


def by(way: str, schedule: list[int] | None = None) -> Recipe:
    return Recipe(selection=SelectionSettings(by=way, schedule=schedule))


def arch_of(leaf: Node) -> str:
    assert leaf.result is not None
    arch: str = leaf.result["arch"]
    return arch


def test_each_way_takes_its_own_figure_and_of_a_loss_the_lowest() -> None:
    for _ in range(20):
        loss, mixture, accuracy = ([random.random() for _ in range(3)] for _ in range(3))
        names = ("mixture_loss", "mixture_accuracy", "valid_accuracy")
        columns = (loss, mixture, accuracy)
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        state = searched(*rows)
        for way, best in zip(WAYS, (min(loss), max(mixture), max(accuracy)), strict=False):
            column = columns[list(WAYS).index(way)]
            assert chosen_leaf(by(way), state).label == str(column.index(best))


@pytest.mark.parametrize("way", ["mixture-loss", "mixture-accuracy", "accuracy"])
def test_the_first_wins_ties(way: str) -> None:
    same = {"mixture_loss": 1.0, "mixture_accuracy": 1.0, "valid_accuracy": 1.0}
    assert chosen_leaf(by(way), searched(same, same, same)).label == "0"


def test_who_got_further_comes_first_whatever_those_who_were_dropped_had() -> None:
    state = searched({}, {}, {"valid_accuracy": 99.0})
    first, second, third = map(arch_of, state.tree.leaves)
    reached = {first: [50.0, 51.0], second: [60.0, 51.0], third: [49.9]}
    state.retrained = {arch: [Accuracy(each, each) for each in rungs] for arch, rungs in reached.items()}
    assert chosen_leaf(by("halving"), state).label == "0"
    state.retrained[third] = [Accuracy(90.0, 90.0)]
    assert chosen_leaf(by("halving"), state).label == "0"
    assert chosen_leaf(by("accuracy"), state).label == "2"
    told = WAYS["halving"].intervals(state, 1000)
    assert told == {"0": interval(51.0, 1000), "1": interval(51.0, 1000)}


def test_leaves_of_one_architecture_have_its_retrained_accuracies() -> None:
    state = searched({}, {}, {})
    one, two, three = state.tree.leaves
    assert two.result is not None
    two.result["arch"] = arch_of(one)
    state.retrained = {arch_of(one): [Accuracy(10.0, 10.0)], arch_of(three): [Accuracy(5.0, 5.0)]}
    assert state.retrained_of(one) == state.retrained_of(two)
    assert chosen_leaf(by("halving"), state) is one


def test_all_figures_stand_side_by_side_and_what_was_not_measured_is_null() -> None:
    rows = [{"mixture_loss": 1.0, "mixture_accuracy": 40.0, "valid_accuracy": 30.0}, {}, {"valid_accuracy": 31.0}]
    state = searched(*rows)
    told = selection_json(by("accuracy"), state)
    assert told["by"] == "accuracy"
    assert told["chosen"] == {"mixture-loss": "0", "mixture-accuracy": "0", "accuracy": "2", "halving": None}
    assert told["leaves"][0] == {
        "path": "0", "mixture_loss": 1.0, "mixture_accuracy": 40.0, "valid_accuracy": 30.0, "retrained": None,
    }  # fmt: skip
    assert told["leaves"][1]["mixture_loss"] is None
    state.retrained = {arch_of(state.tree.leaves[1]): [Accuracy(1.0, 2.0), Accuracy(3.0, 4.0)]}
    told = selection_json(by("halving", [30, 100]), state)
    assert told["chosen"]["halving"] == "1"
    assert told["leaves"][1]["retrained"] == [
        {"epochs": 30, "valid_accuracy": 1.0, "valid_balanced_accuracy": 2.0},
        {"epochs": 100, "valid_accuracy": 3.0, "valid_balanced_accuracy": 4.0},
    ]


def test_of_a_loss_there_are_no_intervals() -> None:
    state = searched(*({"mixture_loss": 1.0, "mixture_accuracy": each} for each in (10.0, 20.0, 30.0)))
    assert WAYS["mixture-loss"].intervals(state, 100) == {}
    assert WAYS["mixture-accuracy"].intervals(state, 100)["1"] == interval(20.0, 100)
