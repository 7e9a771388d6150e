"""The split tree: its laws, its order of visits, its way to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from cleave.search.state import State
from cleave.space import Region
from cleave.split import Split, Tree, label
from cleave.split.matching import GradientMatching
from cleave.split.splitters import (
    Exhaustive,
    GivenChoice,
    Random,
    SplitRequest,
    any_choice,
    lowest_cut,
    splittable,
)
from cleave.stats.accuracy import Accuracy

REGION = Region({"a": ("p", "q", "r", "s"), "b": ("p", "q", "r", "s"), "c": ("p", "q")})


def everything(region: Region) -> bool:
    return True


def request(unsplit: list[str], parts: int = 2, seed: int = 0) -> SplitRequest:
    return SplitRequest(REGION, unsplit, parts, SIMILAR.__getitem__, no_race, torch.Generator().manual_seed(seed))


def no_race(choices: Sequence[str], parts: int) -> Mapping[str, torch.Tensor]:
    raise AssertionError("not asked for")


def blocks(*groups: str, inside: float, across: float) -> torch.Tensor:
    """Similarities of p, q, r, s with these groups."""
    home = {name: number for number, group in enumerate(groups) for name in group}
    names = sorted(home)
    return torch.tensor([[inside if home[x] == home[y] else across for y in names] for x in names])


SIMILAR = {
    "a": blocks("pq", "rs", inside=0.9, across=0.5),
    "b": blocks("pr", "qs", inside=0.9, across=0.1),
    "c": torch.tensor([[1.0, 0.2], [0.2, 1.0]]),
}


def grown() -> Tree:
    tree = Tree(REGION)
    tree.grow(tree.nodes[()], Split("a", REGION.allowed["a"], (("p", "q"), ("r", "s"))), everything)
    split = GradientMatching(lowest_cut).split(request(["b", "c"]))
    tree.grow(tree.nodes[(0,)], split, everything)
    return tree


def test_paths_are_written_as_labels() -> None:
    assert [label(()), label((0,)), label((1, 0, 2))] == ["root", "0", "1.0.2"]


def test_leaves_are_disjoint_and_their_sizes_add_up() -> None:
    tree = grown()
    assert sum(leaf.region.size for leaf in tree.leaves) == REGION.size
    assert [leaf.label for leaf in tree.leaves] == ["1", "0.0", "0.1"]


def test_nodes_are_visited_level_by_level_and_once() -> None:
    tree, seen = Tree(REGION), []
    while (node := tree.next_open()) is not None:
        seen.append(node.label)
        if len(node.path) < 2:
            choice = tree.unsplit(node)[0]
            names = node.region.allowed[choice]
            tree.grow(node, Split(choice, names, (names[:2], names[2:])), everything)
        else:
            node.result = {"arch": "x", "valid_accuracy": 1.0}
    assert seen == ["root", "0", "1", "0.0", "0.1", "1.0", "1.1"]


def test_a_choice_is_split_once_on_a_path() -> None:
    tree = grown()
    assert tree.unsplit(tree.nodes[(1,)]) == ["b", "c"]
    assert tree.unsplit(tree.nodes[(0, 1)]) == ["c"]


def test_a_region_without_a_valid_architecture_is_never_visited() -> None:
    tree = Tree(REGION)
    tree.grow(
        tree.nodes[()],
        Split("c", ("p", "q"), (("p",), ("q",))),
        lambda region: region.allowed["c"] != ("p",),
    )
    assert tree.nodes[(0,)].empty
    assert tree.next_open() is tree.nodes[(1,)]


def test_the_lowest_cut_is_split_and_all_choices_are_scored() -> None:
    split = GradientMatching(lowest_cut).split(request(["a", "b"]))
    assert split.choice == "b"
    assert split.groups == (("p", "r"), ("q", "s"))
    assert set(split.scores) == {"a", "b"}
    assert abs(split.scores["b"].cut - 4 * 0.1) < 1e-6
    assert split.scores["a"].groups == (("p", "q"), ("r", "s"))


def test_cuts_are_compared_per_link() -> None:
    """c cuts one link at .2, b four at .1: b is the more dissimilar though its sum is larger."""
    assert GradientMatching(lowest_cut).split(request(["a", "b", "c"])).choice == "b"


def test_a_given_choice_keeps_its_best_groups() -> None:
    split = GradientMatching(GivenChoice("a")).split(request(["a", "b"]))
    assert (split.choice, split.groups) == ("a", (("p", "q"), ("r", "s")))


def test_choices_with_fewer_candidates_than_parts_are_left_out() -> None:
    assert splittable(request(["a", "b", "c"], parts=3)) == ["a", "b"]
    assert "c" not in GradientMatching(lowest_cut).split(request(["a", "b", "c"], parts=3)).scores


def test_exhaustive_puts_every_candidate_alone() -> None:
    split = Exhaustive(GivenChoice("a")).split(request(["a"]))
    assert split.groups == (("p",), ("q",), ("r",), ("s",))


def test_random_draws_choice_and_groups_from_its_generator_alone() -> None:
    drawn = [Random(any_choice).split(request(["a", "b", "c"], seed=seed)) for seed in range(60)]
    again = [Random(any_choice).split(request(["a", "b", "c"], seed=seed)) for seed in range(60)]
    assert drawn == again
    assert {split.choice for split in drawn} == {"a", "b", "c"}
    assert len({split.groups for split in drawn if split.choice == "a"}) == 3


def test_the_state_comes_back_from_json_as_it_went() -> None:
    state = State(grown(), accuracies={"an architecture": Accuracy(0.1 + 0.2, 50.0)}, kept={"root": "abc"})
    state.cost.weight_steps = 7
    state.tree.nodes[(1,)].result = {"arch": "x", "valid_accuracy": 100 / 3}
    again = State.from_json(json.loads(json.dumps(state.to_json())), Path("meta.json"))
    assert again.to_json() == state.to_json()
    assert again.tree.nodes == state.tree.nodes


def test_the_next_open_node_is_the_first_one_that_is_not_finished() -> None:
    """Against a look at all of them, while nodes are finished in the order of merging and new ones grow."""
    tree = Tree(REGION)
    while (node := tree.next_open()) is not None:
        assert node is next(each for each in tree.nodes.values() if not each.finished)
        if len(node.path) < 2:
            choice = "ab"[len(node.path)]
            tree.grow(node, Split(choice, REGION.allowed[choice], (("p", "q"), ("r", "s"))), everything)
        else:
            node.result = {}
    assert len(tree.nodes) == 7
    assert all(node.finished for node in tree.nodes.values())
