"""What a child takes over from its parent, where its parts are elastic; and methods that see what things cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import torch

import cleave
from cleave.config import load_recipe
from cleave.method import StepContext, ValidationLoss, method
from cleave.method.rsps import Rsps, RspsSettings
from cleave.net import one_hot
from cleave.net.cost import costs
from cleave.resolve import resolve
from cleave.search.problem import Problem, open_problem
from cleave.search.schedule import schedule
from cleave.search.trainer import NodeTrainer
from cleave.space import Limited, NetworkSize, Region, find_space
from cleave.split import Node
from tests.registries import as_they_were
from tests.toys import ToyCells64, ToyElastic, toys_known

TINY = {
    "data.limit": 64, "data.image_size": 8, "space.channels": 4, "search.batch_size": 16, "search.epochs": 1,
    "split.splits": 1, "split.restart": False, "split.batches": 1, "trust.panel": 0, "trust.control": 1,
    "method.name": "rsps", "method.samples": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    with as_they_were(), toys_known():
        yield


def elastic() -> Problem:
    changes = [f"{key}={value}" for key, value in {**TINY, "space.name": "toyelastic"}.items()]
    recipe = load_recipe(None, changes, {})
    return open_problem(resolve(recipe, find_space(recipe.space))[0])


SPLITS = {"kernel1": ["3"], "expansion0": ["1"], "depth": ["1", "2"]}


@pytest.mark.parametrize("choice", SPLITS)
def test_a_part_of_an_elastic_space_goes_on_with_all_of_its_parents_weights(choice: str) -> None:
    problem = elastic()
    region = problem.space.region
    parent = NodeTrainer(problem, Node((), region), schedule(problem.recipe, 0))
    for _ in range(3):
        parent.advance()
    child = NodeTrainer(problem, Node((0,), region.restrict(choice, SPLITS[choice])), schedule(problem.recipe, 1))
    child.inherit(parent.record(), region)
    theirs, own = parent.network.state_dict(), child.network.state_dict()
    assert theirs.keys() == own.keys()
    assert all(torch.equal(own[name], value) for name, value in theirs.items())
    assert child.weights.momentum.keys() == parent.weights.momentum.keys()
    images, _ = parent.train.batch(9)
    arch = problem.space.sample(child.scope.region, torch.Generator().manual_seed(1))
    assert torch.equal(child.network(images, one_hot(arch)), parent.network(images, one_hot(arch)))
    child.advance()
    assert any(not torch.equal(value, theirs[name]) for name, value in child.network.named_parameters())


def test_a_search_that_inherits_keeps_elastic_weights_whole(tmp_path: Path) -> None:
    found = cleave.search(space=ToyElastic(), data="bundled", out=tmp_path / "run", settings=TINY)
    place = found.network().network.get_submodule("blocks.layer0.place.module.inner.2")
    assert place.kernel_size[0] in (3, 5)
    assert len(found.leaves) == 2


class ThriftySettings(RspsSettings):
    """Single paths; the cheapest one is derived."""

    name: Literal["thrifty"] = "thrifty"  # type: ignore[assignment]


class Thrifty(Rsps):
    """Looks at costs when it learns, and when it derives."""

    learns = True

    def learn(self, validation: ValidationLoss, context: StepContext) -> None:
        self.seen = self.costs.of(self.space.sample(self.region, context.generator)).multiply_adds

    def derive(self, evaluate: object, generator: torch.Generator) -> cleave.Arch:
        return min(self.space.every(self.region), key=lambda arch: self.costs.of(arch).multiply_adds)


def test_a_method_sees_costs_at_the_size_of_the_run(tmp_path: Path) -> None:
    method(ThriftySettings)(Thrifty)
    changes = {**TINY, "method.name": "thrifty", "split.splitter": "none", "space.channels": 3}
    found = cleave.search(space=ToyCells64(), data="bundled", out=tmp_path / "run", settings=changes)
    space, sizes = ToyCells64(), (NetworkSize(3, 1), (1, 8, 8), 10)
    cost = costs(space, *sizes).of(space.parse(found.arch)).multiply_adds
    assert cost == min(costs(space, *sizes).of(arch).multiply_adds for arch in space.every(space.region))


def test_costs_are_counted_when_they_are_first_asked_for() -> None:
    problem = elastic()
    made = NodeTrainer(problem, Node((), problem.space.region), schedule(problem.recipe, 0)).method
    assert "costs" not in vars(made)
    assert made.costs is made.costs
    arch = problem.space.sample(problem.space.region, torch.Generator())
    assert made.costs.of(arch) == problem.costs().of(arch)
    alone = problem.method(
        problem.recipe.method, problem.space, Region(problem.space.region.allowed), torch.Generator()
    )
    with pytest.raises(AssertionError, match="a search says how its costs are counted"):
        _ = alone.costs


@pytest.mark.parametrize("name", ["rsps", "darts"])
def test_a_search_within_limits_never_leaves_them(name: str, tmp_path: Path) -> None:
    space = ToyCells64()
    known = costs(space, NetworkSize(4, 1), (1, 8, 8), 10)
    low, high = known.extremes(space.parts(space.region), "parameters")
    limited = Limited(space, known, {"parameters": (2 * low + high) // 3}, name="limited")
    settings = {key: value for key, value in TINY.items() if not key.startswith("method.")}
    asked = {**settings, "split.splitter": "random", "trust.control": 3}
    found = cleave.search(space=limited, method=name, data="bundled", out=tmp_path / "run", settings=asked)
    assert all(limited.valid(limited.parse(leaf["arch"])) for leaf in found.leaves)
    control = found.trust["control"]["random_search"]["arch"]
    assert limited.valid(limited.parse(control))
