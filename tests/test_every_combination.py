"""Every method with every splitter on every space: one test, run through the real search loop.

What is checked of each: the leaves divide the space, children inherit and restart as they should, masks hold in
the derived architectures, the best leaf on held-out images is chosen, and the same seed gives the same outcome.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.errors import UserError
from cleave.method import METHODS
from cleave.method.samplers import SAMPLERS
from cleave.resolve import resolve
from cleave.run.folder import RunFolder, create, make_folder
from cleave.run.origin import SEARCH, read_origin
from cleave.search.hooks import HOOKS
from cleave.search.loop import Search
from cleave.search.problem import Problem, open_problem
from cleave.settings import Recipe
from cleave.space import Region, Space, find_space
from cleave.split.splitters import SPLITTERS as SPLITTERS_BY_NAME
from tests.method.kinds import ELASTIC, EVERYWHERE
from tests.toys import TOYS, toys_known

SPLITTERS: dict[str, tuple[list[str], int]] = {
    "none": (["split.splitter=none"], 1),
    "exhaustive": (["split.splitter=exhaustive", "split.splits=1"], 0),  # as many leaves as candidates
    "random": (["split.splitter=random", "split.splits=2", "split.branch=2"], 4),
    "gradient": (["split.splitter=gradient", "split.splits=2", "split.branch=2", "split.batches=1"], 4),
    "race": (["split.splitter=gradient", "split.splits=1", "split.branch=2", "split.batches=8", "split.rule=race"], 2),
    "output": (["split.splitter=output", "split.splits=2", "split.branch=2", "split.batches=1"], 4),
    "dimension": (["split.splitter=dimension", "split.splits=1", "split.branch=2", "split.batches=1"], 2),
    "metric": (["split.splitter=metric", "split.metric=macs", "split.splits=2", "split.completions=2"], 4),
    "gradient-norm": (
        ["split.splitter=metric", "split.metric=gradient-norm", "split.splits=1", "split.completions=1"], 2
    ),
    "nonlinearity": (["split.splitter=nonlinearity", "split.splits=1", "split.completions=2"], 2),
    "parametric": (["split.splitter=parametric", "split.splits=1"], 2),
    "weight-copies": (["split.splitter=weight-copies", "split.thresholds=[1, 2]"], 1),
}  # fmt: skip
REFUSED = {
    "parametric": (("mobilenet-ofa", "toymobilenet", "toyelastic"), "at no choice of .* some candidates have"),
    "nonlinearity": (("toyelastic",), "a kind of block of .* does not tell how deep it is"),
    "weight-copies": (
        ("mobilenet-ofa", "toyelastic", *(method for method in METHODS if method != "rsps")),
        "a kind of block of .* has no copies|with method.name=.* it is not single architectures that train",
    ),
}
"""The spaces, and methods, with which a splitter is not defined, and why."""
FEWER = {
    "darts": ["space.ops=[skip_connect, sep_conv_3x3]", "space.split_cells=normal"],
    "mobilenet-proxyless": ["space.ops=[3x3_e3, 5x5_e3, zero]", "space.width=0.25"],
    "mobilenet-ofa": ["space.width=0.25", "space.kernels=[3, 5]", "space.expansions=[3, 4]", "space.depths=[1, 2]"],
}
"""So that a case takes seconds."""
SPACES = ("nasbench201", "darts", "mobilenet-proxyless", "mobilenet-ofa", *(toy.name for toy in TOYS))
OWN = {
    "rsps": ["method.samples=3"],
    "proxyless": ["method.architecture_every=1"],
    "sandwich": ["method.samples=3", "method.paths=1"],
    "subnets": ["method.samples=3"],
    "shrinking": ["method.samples=3", "search.epochs=6"],
}
"""What a method says otherwise, so that it has three architectures to judge, learns in every step, or has an epoch for
each of its phases."""
PAIRS = [(space, method) for space in SPACES for method in EVERYWHERE] + [("mobilenet-ofa", each) for each in ELASTIC]
NORMALISED_AWAY = ("toymobilenet", "gdas")
"""GDAS scales what a block gives, which is normalised right after: its gradient is nearly zero."""
BASE = ["split.splits=1", "split.batches=2", "search.epochs=2"]
THREE = "space.ops=[none, skip_connect, nor_conv_1x1]"
Found = tuple[dict[str, Any], Sequence[str]]
TINY = [
    "data.limit=96", "data.image_size=8", "search.batch_size=32", "search.epochs=1",
    "split.warmup_epochs=1", "threads=1", "trust.control=0", "trust.panel=3",
]  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def toys() -> Iterator[None]:
    with toys_known():
        yield


def tiny(*changes: str) -> Recipe:
    width = [] if any(change.startswith("space.width") for change in changes) else ["space.channels=2"]
    return load_recipe(None, [*TINY, *width, *changes], {})


def run(folder: Path, recipe: Recipe) -> tuple[dict[str, Any], Search, Problem]:
    recipe, _ = resolve(recipe, find_space(recipe.space))
    problem = open_problem(recipe)
    make_folder(folder)
    create(folder, recipe, {})
    search = Search(problem, RunFolder(folder, read_origin(folder, SEARCH)), Stop(), Callback())
    return search.run(), search, problem


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize(("space", "method"), PAIRS)
def test_every_method_splitter_and_space_work_together(tmp_path: Path, space: str, method: str, splitter: str) -> None:
    settings, leaves = SPLITTERS[splitter]
    refused, why = REFUSED.get(splitter, ((), ""))
    if space in refused or method in refused:
        with pytest.raises(UserError, match=rf"split\.splitter={splitter}: ({why})"):
            run(tmp_path / "run", tiny(f"space.name={space}", *settings, *FEWER.get(space, [])))
        return
    own = [*OWN.get(method, []), *FEWER.get(space, [])]
    changes = [f"space.name={space}", f"method.name={method}", *settings, *own]
    outcome, search, problem = run(tmp_path / "run", tiny(*changes))
    expected = leaves or len(outcome["splits"][0]["candidates"])
    check_leaves(outcome, problem.space, expected)
    check_choice(outcome)
    check_cost(outcome, search, problem)
    true_alarms = {"collapse", *(["still-weights"] if (space, method) == NORMALISED_AWAY else [])}
    assert {each["guard"] for each in outcome["guards"]} <= true_alarms, "of random networks some are mostly wires"
    if space == "nasbench201" and splitter in ("none", "gradient"):
        assert outcome == run(tmp_path / "again", tiny(*changes))[0]


RIVALS = {
    **{name: [f"method.sampler={name}"] for name in SAMPLERS if name != "uniform"},
    **{name: [f"search.hooks=[{name}]"] for name in HOOKS},
    "sandwich": ["method.name=sandwich", "search.hooks=[complexity-rate, gradient-projection]"],
}
"""Samplers and hooks, with single paths; and hooks where a step has a teacher."""


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("space", SPACES)
def test_samplers_and_hooks_work_on_every_space_with_splits_and_limits(tmp_path: Path, space: str, rival: str) -> None:
    own = [f"space.name={space}", "method.name=rsps", "method.samples=3", *RIVALS[rival], *FEWER.get(space, [])]
    asked = tiny(*own)
    if (rival == "sandwich" and space != "mobilenet-ofa") or (rival, space) == ("balanced", "toyelastic"):
        with pytest.raises(UserError):
            resolve(asked, find_space(asked.space))
        return
    outcome, search, problem = run(tmp_path / "split", tiny(*own, *SPLITTERS["gradient"][0], "split.restart=false"))
    check_leaves(outcome, problem.space, 4)
    check_choice(outcome)
    assert rival in {"sandwich", outcome.get("sampler"), *outcome.get("hooks", ())}
    nodes, networks = len(search.state.tree.nodes), problem.method.networks_each(asked.method, problem.space)
    assert 0 < outcome["cost"]["weight_steps"] <= nodes * problem.steps_per_epoch * networks
    most = max(problem.costs().of(problem.space.parse(leaf["arch"])).parameters for leaf in outcome["leaves"])
    limited = [*own, f"limits.params={most}", "search.epochs=2"]
    outcome = run(tmp_path / "limited", tiny(*limited, "split.splitter=none"))[0]
    assert outcome["limits"]["params"]["chosen"] <= most


HALVING = [
    "selection.by=halving", "selection.schedule=[1, 2]",
    "selection.training={batch_size: 24, learning_rate_warmup: 0}",
]  # fmt: skip


@pytest.mark.parametrize(("space", "method"), PAIRS)
def test_halving_chooses_on_every_space_whatever_the_method(tmp_path: Path, space: str, method: str) -> None:
    """With a control that is trained in the same way."""
    own = [*OWN.get(method, []), *FEWER.get(space, [])]
    changes = [f"space.name={space}", f"method.name={method}", *own]
    split = ["split.splitter=random", "split.splits=2", "split.branch=2", "trust.control=1"]
    outcome, search, problem = run(tmp_path / "run", tiny(*changes, *split, *HALVING))
    figures = {leaf["path"]: leaf for leaf in outcome["selection"]["leaves"]}
    assert len(figures) == 4
    assert all((leaf["mixture_loss"] is None) is METHODS[method].alone for leaf in figures.values())
    reached = [rung["valid_accuracy"] for leaf in figures.values() for rung in leaf["retrained"][1:]]
    assert figures[outcome["chosen"]["path"]]["retrained"][1]["valid_accuracy"] == max(reached)
    distinct = len({leaf["arch"] for leaf in outcome["leaves"]})
    steps = -(-len(problem.train) // 24)
    assert outcome["cost"]["retrain_steps"] == (distinct + -(-distinct // 2)) * steps
    assert outcome["trust"]["control"]["control_passes"] == search.state.control.retrain_steps > 0


@pytest.mark.parametrize(("space", "method"), PAIRS)
def test_limits_are_kept_on_every_space_whatever_the_method(tmp_path: Path, space: str, method: str) -> None:
    """Those that one architecture out of some just keeps: no leaf is above."""
    own = [f"space.name={space}", f"method.name={method}", *OWN.get(method, []), *FEWER.get(space, [])]
    asked = tiny(*own)
    known, generator = open_problem(resolve(asked, find_space(asked.space))[0]), torch.Generator()
    cost = known.costs()
    drawn = [cost.of(known.space.sample(known.space.region, generator)) for _ in range(30)]
    macs, params = sorted((each.multiply_adds, each.parameters) for each in drawn)[10]
    changes = [f"limits.macs={macs}", f"limits.params={params}", "trust.control=1"]
    split = ["split.splitter=random", "split.splits=1", "split.branch=2"]
    outcome = run(tmp_path / "run", tiny(*own, *changes, *split))[0]
    archs = [leaf["arch"] for leaf in outcome["leaves"]]
    assert archs
    found = [cost.of(known.space.parse(arch)) for arch in archs]
    assert all(each.multiply_adds <= macs and each.parameters <= params for each in found)
    chosen = cost.of(known.space.parse(outcome["chosen"]["arch"]))
    assert outcome["limits"] == {
        "macs": {"most": macs, "chosen": chosen.multiply_adds}, "params": {"most": params, "chosen": chosen.parameters}
    }  # fmt: skip


def check_leaves(outcome: dict[str, Any], space: Space, expected: int) -> None:
    regions = [Region({c: tuple(names) for c, names in leaf["region"].items()}) for leaf in outcome["leaves"]]
    assert len(regions) == expected
    assert sum(region.size for region in regions) == space.region.size
    for leaf, region in zip(outcome["leaves"], regions, strict=True):
        arch = space.parse(leaf["arch"])
        assert arch in region
        if arch.keys() == region.allowed.keys():  # what leaves a choice out that was split is in several leaves
            assert [arch in other for other in regions].count(True) == 1
    for split in outcome["splits"]:
        assert sorted(name for group in split["groups"] for name in group) == sorted(split["candidates"])


def check_choice(outcome: dict[str, Any]) -> None:
    best = max(leaf["valid_accuracy"] for leaf in outcome["leaves"])
    assert outcome["chosen"]["valid_accuracy"] == best
    assert 0 <= best <= 100


def check_cost(outcome: dict[str, Any], search: Search, problem: Problem) -> None:
    recipe, tree = problem.recipe, search.state.tree
    looks = SPLITTERS_BY_NAME[recipe.split.splitter].passes(recipe.split)  # at weights, for which nodes warm up
    warm, leaves = bool(looks) * (len(tree.nodes) - len(tree.leaves)), len(tree.leaves)
    steps = problem.steps_per_epoch
    if not METHODS[recipe.method.name].elastic:  # else steps have several networks
        assert outcome["cost"]["weight_steps"] == (warm + leaves) * steps
    assert outcome["cost"]["arch_steps"] == leaves * steps * METHODS[recipe.method.name].learns
    passes = sum(
        len(node.region.allowed[choice])
        for node in tree.nodes.values()
        if node.split is not None
        for choice in node.split.scores
    )
    assert outcome["cost"]["split_passes"] == passes * looks
    archs = leaves * (3 if hasattr(recipe.method, "rejects") else 1)
    assert outcome["cost"]["eval_images"] == archs * len(problem.valid)


@pytest.mark.parametrize(("branch", "parts"), [("3", [3, 3]), ("[2, 3]", [2, 3]), ("[3, 2]", [3, 2])])
def test_any_branching_factor_gives_as_many_leaves(tmp_path: Path, branch: str, parts: list[int]) -> None:
    changes = ["split.splitter=gradient", "split.splits=2", f"split.branch={branch}", "split.batches=1"]
    outcome, _, problem = run(tmp_path / "run", tiny(*changes))
    check_leaves(outcome, problem.space, parts[0] * parts[1])
    assert [len(split["groups"]) for split in outcome["splits"]] == [parts[0]] + [parts[1]] * parts[0]


@pytest.mark.parametrize("split", ["space.split_on=[expand]", "space.split_on=[depth]", "space.joined=true"])
def test_elastic_networks_are_split_by_any_of_their_dimensions(tmp_path: Path, split: str) -> None:
    """By kernels too, as above."""
    changes = [*FEWER["mobilenet-ofa"], *OWN["subnets"], *SPLITTERS["gradient"][0], "split.splits=1", split]
    outcome, _, problem = run(tmp_path / "run", tiny("space.name=mobilenet-ofa", "method.name=subnets", *changes))
    check_leaves(outcome, problem.space, 2)
    kind = outcome["splits"][0]["choice"].rstrip("0123456789")
    assert kind == {"[expand]": "expand", "[depth]": "depth", "true": "block"}[split.partition("=")[2]]


@pytest.mark.parametrize(
    "change",
    [
        "split.similarity=l2",
        "split.similarity=filter-cos",
        "split.average=similarities",
        "split.enable=own",
        "split.shared=body",
        "split.restart=false",
        "split.choice=3<-1",
        "split.warmup_epochs=0",
        "search.anneal=path",
        "data.flip=false",
        "data.padding=3",
        "data.crop=0.3",
        "data.brightness=0.5",
        "data.resample=bicubic",
        "data.held_out=40",
        "split.warmup_learning_rate=0.2",
    ],
)
def test_every_option_changes_something(tmp_path: Path, change: str, ordinary: Found) -> None:
    outcome, search, _ = run(tmp_path / "changed", tiny(*BASE, THREE, change))
    assert (outcome, weights(search)) != ordinary


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Found:
    outcome, search, _ = run(tmp_path_factory.mktemp("ordinary") / "run", tiny(*BASE, THREE))
    return outcome, weights(search)


def weights(search: Search) -> Sequence[str]:
    """The identities of all weights that were kept."""
    return sorted(search.state.kept.values())


def test_a_random_choice_follows_the_seed_and_its_groups_the_gradients(tmp_path: Path) -> None:
    chosen = set()
    for seed in range(4):
        changes = [*BASE, THREE, "split.batches=1", "split.choice=random", f"seed={seed}"]
        outcome, search, _ = run(tmp_path / str(seed), tiny(*changes))
        (split,) = outcome["splits"]
        root = search.state.tree.nodes[()].split
        assert root is not None
        assert split["groups"] == [list(group) for group in root.scores[split["choice"]].groups]
        chosen.add(split["choice"])
    assert len(chosen) > 1


def test_given_choices_are_split_in_their_order(tmp_path: Path) -> None:
    outcome, _, _ = run(tmp_path / "run", tiny("split.choice=[3<-1, 1<-0]", "split.batches=1"))
    assert [split["choice"] for split in outcome["splits"]] == ["3<-1", "1<-0", "1<-0"]


def test_a_leaf_without_a_connected_architecture_is_left_out(tmp_path: Path) -> None:
    """Few-shot with {none} alone on every edge into the output: one leaf in 8 has nothing to search."""
    changes = [
        "space.ops=[none, skip_connect]", "method.name=rsps", "method.samples=2", "split.splitter=exhaustive",
        "split.splits=3", "split.choice=[3<-0, 3<-1, 3<-2]",
    ]  # fmt: skip
    outcome, search, _ = run(tmp_path / "run", tiny(*changes))
    assert len(search.state.tree.leaves) == 8
    assert len(outcome["leaves"]) == 7
    assert all("skip_connect" in leaf["arch"] for leaf in outcome["leaves"])


def test_children_start_from_their_parents_weights_and_leaves_from_new_ones(tmp_path: Path) -> None:
    """Without training steps of their own (zero warm-up) inner nodes are their parents, restricted."""
    for restart in ("true", "false"):
        fewer = "space.ops=[none, skip_connect, nor_conv_1x1]"
        changes = ["split.warmup_epochs=0", "split.batches=1", f"split.restart={restart}", fewer]
        _, search, _ = run(tmp_path / restart, tiny(*changes))
        kept = search.state.kept
        root, child = (search.folder.leaf(name, kept[name]) for name in ("root", "0"))
        assert all(torch.equal(child.weights[name], root.weights[name]) for name in child.weights)
        assert len(child.weights) < len(root.weights)
