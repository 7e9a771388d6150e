"""A space says once how it normalises, and every network of it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

import cleave
from cleave.config import load_recipe
from cleave.net import Norm, build
from cleave.plan import memory
from cleave.resolve import resolve
from cleave.search.problem import open_problem
from cleave.search.schedule import alone
from cleave.search.scope import Standalone
from cleave.search.trainer import NodeTrainer
from cleave.space import Layout, NetworkSize
from cleave.space.registry import SPACES
from cleave.study.record.supernet import Blueprint, Supernet
from cleave.testing import check_space
from tests.study.small import small_study
from tests.toys import ToyCells64

EPS, MOMENTUM = 1e-3, 0.2
TINY = {
    "space.channels": 2, "data.limit": 64, "data.image_size": 8, "search.batch_size": 16, "search.epochs": 1,
    "split.splitter": "none", "trust.panel": 0, "trust.control": 1,
}  # fmt: skip


class Lenient(ToyCells64):
    """A space with another eps, and another momentum in what is trained by itself."""

    name = "lenient"

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        return replace(super().layout(size, image_channels), norm=Norm(momentum=MOMENTUM, eps=EPS))


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACES, "lenient", Lenient)


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    found = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(found) > 1
    return found


def check(network: nn.Module, *, affine: bool) -> None:
    assert {norm.eps for norm in norms(network)} == {EPS}
    searched = [module for name, module in network.named_modules() if ".preprocess." in name or ".edges." in name]
    assert {norm.affine for norm in searched if isinstance(norm, nn.BatchNorm2d)} == {affine}


def test_a_supernet_and_a_network_that_is_trained_alone_in_a_search() -> None:
    space = Lenient()
    recipe, _ = resolve(
        load_recipe(None, [f"{k}={v}" for k, v in {**TINY, "space.name": "lenient"}.items()], {}), space
    )
    problem = open_problem(recipe)
    check(build(problem.layout, space.region, 3, 0), affine=False)
    arch = {choice.name: "toy_sep_conv" for choice in space.choices}
    check(NodeTrainer(problem, Standalone("control 0", arch), alone(1)).network, affine=False)
    assert memory.step_memory(problem).weights > 0


def test_the_supernet_and_the_children_of_a_study() -> None:
    study = small_study({"space.name": "lenient", "space.ops": None, "space.cells": 1, "space.children": 3})
    made = Supernet(study.space, Blueprint(study.layout, 4, study.norm), study.archs(0), 0, lambda name: False)
    for network in (made.common, *made.networks):
        check(network, affine=True)
        assert {norm.momentum for norm in norms(network)} == {study.recipe.norm.momentum}


def test_the_network_that_is_chosen(tmp_path: Path) -> None:
    found = cleave.search(space=Lenient(), data="bundled", out=tmp_path / "run", settings=TINY)
    assert {norm.eps for norm in found.network().modules() if isinstance(norm, nn.BatchNorm2d)} == {EPS}


def test_a_supernet_may_be_affine_where_its_space_says_so() -> None:
    layout = replace(Lenient().layout(NetworkSize(2, 1), 3), supernet_norm=Norm(eps=EPS))
    check(build(layout, Lenient().region, 3, 0), affine=True)


def test_it_keeps_the_laws() -> None:
    check_space(Lenient(), draws=1)
