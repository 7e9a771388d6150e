"""Every recipe in the repository is valid, resolves, and runs once its sizes are cut down."""

from __future__ import annotations

from math import cos, pi
from pathlib import Path

import pytest

from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.method.rsps import RspsSettings
from cleave.resolve import resolve
from cleave.search.runner import start
from cleave.search.schedule import schedule
from cleave.space import find_space

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))
CUT = [
    "data.name=bundled", "data.limit=96", "data.image_size=8", "data.padding=1", "space.channels=2", "space.cells=1",
    "search.epochs=1", "search.batch_size=32", "split.warmup_epochs=1", "split.batches=1",
    "threads=1", "trust.control=1",
]  # fmt: skip
MOBILE = [
    "data.name=bundled", "data.limit=60", "data.held_out=30", "data.image_size=12", "data.view=8",
    "space.width=0.1", "space.stem=cifar", "space.ops=[3x3_e3, 5x5_e3, 7x7_e3]",
    "search.epochs=2", "search.batch_size=16", "split.warmup_epochs=1", "split.batches=1", "threads=1", "trust.panel=0",
]  # fmt: skip
"""Of recipes of the MobileNet space."""


def cut(path: Path) -> list[str]:
    return MOBILE if path.stem.startswith("mobilenet") else CUT


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_resolves_without_notes(path: Path) -> None:
    recipe = load_recipe(path, (), {})
    resolved, notes = resolve(recipe, find_space(recipe.space))
    assert notes == []
    assert resolve(resolved, find_space(recipe.space))[0] == resolved


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs_when_it_is_cut_down(path: Path, tmp_path: Path) -> None:
    rsps = isinstance(load_recipe(path, (), {}).method, RspsSettings)
    changes = [*cut(path), "method.samples=2"] if rsps else cut(path)
    outcome = start(load_recipe(path, changes, {}), tmp_path / "run", Callback())
    assert len(outcome["leaves"]) == {"mobilenet-gm-proxyless-paper": 6, "mobilenet-proxyless-paper": 1}.get(
        path.stem, 4
    )


@pytest.mark.parametrize(
    ("name", "epochs", "batches"),
    [
        ("nasbench201-gm-darts-paper", 165, 100),
        ("nasbench201-gm-darts2-paper", 165, 100),
        ("nasbench201-gm-snas-paper", 165, 100),
        ("nasbench201-gm-rsps-paper", 260, 100),
    ],
)
def test_the_published_protocols_have_their_published_length(name: str, epochs: int, batches: int) -> None:
    recipe = load_recipe(next(path for path in RECIPES if path.stem == name), (), {})
    nodes = {0: 1, 1: 2, 2: 4}
    assert sum(count * schedule(recipe, depth).epochs for depth, count in nodes.items()) == epochs
    assert recipe.split.batches == batches
    assert (recipe.space.channels, recipe.space.cells, recipe.search.batch_size) == (16, 5, 48)


def test_the_protocol_on_imagenet_is_the_published_one() -> None:
    """Warm-ups from .05 to 0 with the architecture frozen, leaves that inherit and go from .025 to 0."""
    recipe = load_recipe(next(path for path in RECIPES if path.stem == "mobilenet-gm-proxyless-paper"), (), {})
    assert (recipe.split.branch, recipe.split.batches, recipe.search.batch_size) == ([2, 3], 100, 512)
    nodes = {0: 1, 1: 2, 2: 6}
    assert sum(count * schedule(recipe, depth).epochs for depth, count in nodes.items()) == 40 + 2 * 40 + 6 * 40
    for depth, highest in ((0, 0.05), (1, 0.05), (2, 0.025)):
        found = schedule(recipe, depth)
        assert (found.searching, found.fresh) == (depth == 2, depth == 0)
        rates = [found.learning_rate(epoch, recipe.method) for epoch in range(40)]
        assert rates[0] == highest
        assert rates[20] == pytest.approx(highest / 2)
        assert rates[39] == pytest.approx(highest * (1 + cos(pi * 39 / 40)) / 2)
    data = recipe.data
    assert (data.held_out, data.crop, 255 * data.brightness, data.saturation, data.view) == (10_000, 0.08, 32, 0.5, 224)


def test_the_protocol_of_proxylessnas_is_the_published_one() -> None:
    """One supernet: 40 epochs from .05 to 0 in which nothing is learned of the architecture, 120 from .025 to 0."""
    recipe = load_recipe(next(path for path in RECIPES if path.stem == "mobilenet-proxyless-paper"), (), {})
    found = schedule(resolve(recipe, find_space(recipe.space))[0], 0)
    assert (found.epochs, found.warmup, found.searched, found.searching, found.fresh) == (160, 40, 120, True, True)
    wanted = {0: 0.05, 20: 0.025, 40: 0.025, 100: 0.0125, 159: 0.0125 * (1 + cos(pi * 119 / 120))}
    assert {epoch: found.learning_rate(epoch, recipe.method) for epoch in wanted} == pytest.approx(wanted)
    assert (recipe.data.held_out, recipe.search.batch_size, recipe.method.reference) == (50_000, 256, 300_000_000)


STUDIES = sorted((Path(__file__).parents[1] / "recipes" / "study").glob("*.yaml"))
SMALL = [
    "data.name=bundled", "data.limit=60", "data.image_size=8", "space.channels=2", "space.cells=1", "space.children=3",
    "training.epochs=1", "training.batch_size=24", "looks.dense=1", "looks.images=12", "instances=1",
    "sharing.cells=0",
]  # fmt: skip


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_recipe_of_a_study_is_valid_and_runs_when_it_is_cut_down(path: Path, tmp_path: Path) -> None:
    from cleave.study.record.notes import meaningless
    from cleave.study.record.recipes import read
    from cleave.study.runner import start as start_study

    assert meaningless(read(str(path), None, (), {})) == []
    found = start_study(read(str(path), None, SMALL, {}), tmp_path / "study", Callback())
    assert found["n"]["children"] == 3


def test_there_are_recipes_of_studies() -> None:
    assert STUDIES
