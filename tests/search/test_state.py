"""What a search knows goes into its checkpoint and comes back whole, without what follows from the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleave.errors import UserError
from cleave.search.state import State, tree_to_json
from cleave.space import Space, find_space
from cleave.split import Split, Tree
from tests.fresh import fresh

FILE = Path("checkpoints/000001")


def some_tree(space: Space, splits: int = 3) -> Tree:
    """Split at random, each choice into two groups, some leaves with a result."""
    random, tree = fresh(), Tree(space.region)
    for _ in range(splits):
        for leaf in [leaf for leaf in tree.leaves if not leaf.finished]:
            open_choices = [name for name in tree.unsplit(leaf) if len(leaf.region.allowed[name]) > 1]
            choice = str(random.choice(open_choices))
            candidates = [str(each) for each in random.permutation(leaf.region.allowed[choice])]
            at = int(random.integers(1, len(candidates)))
            groups = (tuple(candidates[:at]), tuple(candidates[at:]))
            tree.grow(leaf, Split(choice, tuple(candidates), groups), lambda region: bool(random.integers(4)))
    for leaf in tree.leaves:
        if not leaf.empty and random.integers(2):
            leaf.result = {"arch": "some", "valid_accuracy": 50.0}
    return tree


def saved(tree: Tree) -> dict[str, Any]:
    """As a file holds it."""
    found: dict[str, Any] = json.loads(json.dumps(State(tree).to_json()))
    return found


@pytest.mark.parametrize("name", ["nasbench201", "darts", "mobilenet-ofa"])
def test_a_tree_comes_back_whole(name: str) -> None:
    tree = some_tree(find_space(name))
    assert State.from_json(saved(tree), FILE).tree.nodes == tree.nodes


def test_only_the_root_says_its_region() -> None:
    tree = some_tree(find_space("darts"))
    root, *others = saved(tree)["tree"]
    assert "region" in root
    assert others
    assert not any("region" in each for each in others)


def test_checkpoints_of_earlier_versions_say_every_region() -> None:
    tree = some_tree(find_space("darts"))
    earlier = {**saved(tree), "tree": json.loads(json.dumps(tree_to_json(tree)))}
    assert State.from_json(earlier, FILE).tree.nodes == tree.nodes


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("path", [7], "node 7 is no part of the node above it"),
        ("path", [-1], "node -1 is no part"),
        ("path", [0, 9], r"node 0\.9 is no part"),
        ("path", [4, 1], r"node 4\.1 is no part"),
        ("path", [], "node root is no part"),
        ("path", "no path", "tree"),
    ],
)
def test_nodes_that_make_no_tree_are_named(key: str, value: object, words: str) -> None:
    altered = saved(some_tree(find_space("nasbench201")))
    altered["tree"][1][key] = value
    with pytest.raises(UserError, match=words) as told:
        State.from_json(altered, FILE)
    assert str(told.value).startswith(f"{FILE}: ")


@pytest.mark.parametrize(
    "split",
    [
        {"choice": "nowhere", "candidates": ["a"], "groups": [["a"]]},
        {"choice": "1<-0", "candidates": ["a"], "groups": [["a"], ["b"]]},
        {"choice": "1<-0", "candidates": [], "groups": [[], []]},
    ],
)
def test_a_split_of_what_is_not_there_is_named(split: dict[str, Any]) -> None:
    altered = saved(some_tree(find_space("nasbench201")))
    altered["tree"][0]["split"] |= split
    with pytest.raises(UserError, match="node 0 is no part of the node above it; it was altered"):
        State.from_json(altered, FILE)
