"""The outcome: the choice on held-out images, and the oracle beside it."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from cleave.bench.table import ACCURACIES, Table, dataset_of
from cleave.method import METHODS
from cleave.search.judging import BY_BATCH
from cleave.search.result import oracle, outcome
from cleave.search.state import State
from cleave.settings import Recipe, TrustSettings
from cleave.space import find_space
from cleave.split import Score, Split, Tree

SPACE = find_space("nasbench201")
OPERATIONS = SPACE.choices[0].candidates


def a_table() -> Table:
    every = numpy.array(list(itertools.product(range(5), repeat=6)), numpy.uint8)
    random = numpy.random.default_rng()
    columns = {name: random.uniform(1, 99, len(every)).astype(numpy.float32) for name in ACCURACIES}
    return Table("made up", every, columns)


def a_search(table: Table | None, accuracies: list[float]) -> dict[str, Any]:
    """A finished search with one split into two leaves."""
    state = State(Tree(SPACE.region))
    groups = (OPERATIONS[:3], OPERATIONS[3:])
    score = Score(OPERATIONS, [[0.5] * 5] * 5, groups, cut=3.0, mean_link=0.5)
    state.tree.grow(state.tree.nodes[()], Split("3<-0", OPERATIONS, groups, {"3<-0": score}), SPACE.holds_valid)
    for leaf, accuracy in zip(state.tree.leaves, accuracies, strict=True):
        arch = {choice: names[-1] for choice, names in leaf.region.allowed.items()}
        found = {"valid_accuracy": accuracy, "valid_balanced_accuracy": accuracy, "entropy": None, "s_tau": None}
        leaf.result = {"arch": SPACE.format(arch), **found}
    recipe = Recipe(trust=TrustSettings(control=0))
    problem: Any = SimpleNamespace(
        space=SPACE,
        layout=SPACE.layout(SPACE.paper_size, 3),
        table=table,
        judging=BY_BATCH,
        recipe=recipe,
        method=METHODS[recipe.method.name],
        valid=range(1000),
        held_out_per_class=[600, 400],
        begin=None,
    )
    return outcome(problem, state)


def test_the_leaf_with_the_best_held_out_accuracy_is_chosen() -> None:
    assert a_search(None, [10.0, 20.0])["chosen"]["path"] == "1"
    assert a_search(None, [20.0, 10.0])["chosen"]["path"] == "0"
    assert a_search(None, [10.0, 10.0])["chosen"]["path"] == "0"


def test_without_a_table_nothing_is_said_about_trained_accuracy() -> None:
    found = a_search(None, [1.0, 2.0])
    assert found["oracle"] is None
    assert found["chosen"]["benchmark"] is None


def test_the_oracle_is_the_best_by_test_accuracy_whatever_is_chosen() -> None:
    table = a_table()
    for accuracies in ([10.0, 20.0], [20.0, 10.0]):
        found = a_search(table, accuracies)
        tests = [leaf["benchmark"]["cifar10"]["test"] for leaf in found["leaves"]]
        assert found["oracle"]["benchmark"]["cifar10"]["test"] == max(tests)
        assert found["chosen"]["valid_accuracy"] == 20.0
        looked_up = table.query(found["chosen"]["arch"])
        assert found["chosen"]["benchmark"] == {name: looked_up[name] for name in found["chosen"]["benchmark"]}


def test_the_oracle_asks_for_the_data_set_that_was_searched_on() -> None:
    table = a_table()
    leaves = a_search(table, [1.0, 2.0])["leaves"]
    for dataset in ("cifar100", "imagenet16-120"):
        best = max(leaf["benchmark"][dataset]["test"] for leaf in leaves)
        assert oracle(leaves, dataset)["benchmark"][dataset]["test"] == best


@pytest.mark.parametrize(
    ("data", "dataset"),
    [
        ("CIFAR-100", "cifar100"),
        ("imagenet16_120", "imagenet16-120"),
        ("bundled", "cifar10"),
        ("/my/images", "cifar10"),
    ],
)
def test_images_that_the_table_does_not_know_are_looked_up_as_cifar10(data: str, dataset: str) -> None:
    assert dataset_of(data) == dataset


def test_a_split_says_what_was_cut_and_what_was_measured() -> None:
    (split,) = a_search(None, [1.0, 2.0])["splits"]
    assert split["leaf"] == "root"
    assert split["cut"] == 3.0
    assert split["candidates"] == list(OPERATIONS)
    assert split["groups"] == [list(OPERATIONS[:3]), list(OPERATIONS[3:])]
    assert len(split["similarities"]) == 5
