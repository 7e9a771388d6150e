"""A space says its own keys: they are checked, told, saved, and are the size that its layout is given."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

import cleave
from cleave.config import checked, known_keys, load_recipe
from cleave.describe import describe
from cleave.errors import UserError
from cleave.net.cost import costs
from cleave.settings import NetworkSettings, Positive, Recipe, SpaceSettings
from cleave.space import Choice, Fixed, Layer, Layout, NetworkSize, find_space, register_space
from cleave.space.registry import SPACES, settings_from
from cleave.study.record.log import read_log
from cleave.study.record.settings import StudyRecipe, StudySpace, study_space
from cleave.testing import check_space
from tests.registries import as_they_were
from tests.study.small import SMALL
from tests.toys import NamedSpace


class TallSettings(SpaceSettings):
    """Keys of a space of layers."""

    width: Annotated[float, Field(gt=0, le=4)] = 1.0  # multiplier of the channels
    layers: Positive = 2  # that are searched


class Tall(NamedSpace):
    """A chain whose length and width a recipe says."""

    name = "tall"
    settings_class = TallSettings
    paper_size = TallSettings(width=3.0, layers=4)

    def __init__(self, layers: int = 2) -> None:
        self.choices = tuple(Choice(f"layer{i}", ("skip_connect", "nor_conv_3x3")) for i in range(layers))

    @classmethod
    def from_settings(cls, settings: TallSettings) -> Tall:
        return cls(settings.layers)

    def layout(self, size: TallSettings, image_channels: int) -> Layout:
        width = round(4 * size.width)
        layers = [(choice.name, Layer(choice.name, width, width)) for choice in self.choices]
        return Layout((("stem", Fixed("conv_3x3_bn", image_channels, width)), *layers), width)


TINY = {
    "data.limit": 64, "data.image_size": 8, "search.batch_size": 16, "search.epochs": 1, "split.splits": 1,
    "split.batches": 1, "trust.panel": 2, "trust.control": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with as_they_were():
        register_space(Tall)
        yield


def recipe_of(*changes: str) -> Recipe:
    return load_recipe(None, ["space.name=tall", *changes], {})


def test_a_recipe_has_the_spaces_own_keys_and_is_read_again() -> None:
    recipe = recipe_of("space.width=0.5", "space.layers=3")
    assert recipe.space == recipe.space.size == TallSettings(name="tall", width=0.5, layers=3)
    written = recipe.model_dump(mode="json")
    assert written["space"] == {"name": "tall", "width": 0.5, "layers": 3}
    assert Recipe.model_validate(written) == recipe == pickle.loads(pickle.dumps(recipe))
    assert len(find_space(recipe.space).choices) == 3


def test_a_recipe_that_was_written_before_is_still_read() -> None:
    recipe = Recipe.model_validate({"space": {"name": "nb201", "ops": 4, "channels": 16, "cells": 5}})
    assert recipe.space == NetworkSettings(name="nb201", ops=4, channels=16, cells=5)
    assert recipe.space.size == NetworkSize(16, 5)
    assert Recipe().space == NetworkSettings(name="nasbench201", ops=None, channels=8, cells=1)
    assert list(Recipe().model_dump()) == ["space", *(key for key in Recipe.model_fields if key != "space")]


WRONG = {
    ("space.name=tall", "space.cells=3"): r"^space\.cells: has no meaning with this space\.name, tall; it has "
    r"space\.name, space\.width, space\.layers$",
    ("space.layers=3",): r"^space\.layers: has no meaning with this space\.name, nasbench201; it has .*space\.channels",
    (
        "space.name=tall",
        "space.zzzz=3",
    ): r"^key: unknown 'space\.zzzz'.* \(known: space\.layers, space\.name, space\.width\)$",
    ("space.name=tall", "space.laiers=3"): r"^space\.laiers: unknown key; did you mean space\.layers\?$",
    ("space.name=tall", "space.width=9"): r"^space\.width: .*less than or equal to 4, not 9$",
    ("space.name=tal",): r"^space\.name: unknown 'tal'; did you mean 'tall'\?",
    ("space=3",): r"^space: holds keys of its own, as in space\.KEY, so it cannot be 3$",
    ("space.name=nowhere.py:Tall",): r"nowhere\.py: ",
}


@pytest.mark.parametrize("changes", WRONG)
def test_what_a_space_cannot_be_told_is_one_line_that_names_its_keys(changes: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=WRONG[changes]) as error:
        load_recipe(None, changes, {})
    assert "\n" not in str(error.value)


def test_settings_from_a_log_are_checked_too() -> None:
    assert settings_from({"name": "tall", "layers": 5, "width": 1}) == TallSettings(name="tall", layers=5)
    with pytest.raises(UserError, match=r"^space\.layers: .*; tall has name, width, layers$"):
        settings_from({"name": "tall", "layers": "many"})
    with pytest.raises(UserError, match=r"^space\.ops: .*; tall has name, width, layers$"):
        find_space("tall", 4)


def test_it_is_searched_and_its_size_is_that_of_the_network(tmp_path: Path) -> None:
    asked = {**TINY, "space.layers": 3, "space.width": 0.5}
    found = cleave.search(space="tall", data="bundled", out=tmp_path / "run", settings=asked)
    network = found.network().network
    assert network.classifier.in_features == 2
    assert found.arch.count("layer") == 3
    assert "width: 0.5" in (tmp_path / "run" / "recipe.yaml").read_text()


def test_it_is_studied_and_its_log_says_its_size(tmp_path: Path) -> None:
    keys = {key: value for key, value in SMALL.items() if not key.startswith(("space.", "data.name"))}
    changes = {**keys, "instances": 1, "space.children": 3, "space.layers": 2, "space.width": 0.5}
    found = cleave.study(space="tall", data="bundled", out=tmp_path / "study", settings={**changes, "data.limit": 60})
    log = read_log(tmp_path / "study" / "log.parquet")
    assert found["n"]["children"] == 3
    assert log.meta["space"] == {"name": "tall", "width": 0.5, "layers": 2}
    assert log.size == TallSettings(name="tall", width=0.5, layers=2)
    assert len(log.space.choices) == 2


def test_a_studys_settings_are_the_spaces_and_the_children() -> None:
    recipe = checked(StudyRecipe, {"space": {"name": "tall", "layers": 3, "children": 5}})
    assert isinstance(recipe.space, TallSettings)
    assert recipe.space.model_dump() == {"name": "tall", "width": 1.0, "layers": 3, "children": 5}
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert study_space(TallSettings) is study_space(TallSettings)
    usual = StudyRecipe().space
    assert usual.model_dump() == {"name": "cells64", "ops": None, "channels": 8, "cells": 4, "children": None}
    assert isinstance(usual, StudySpace)
    with pytest.raises(UserError, match=r"unknown 'space\.children'"):
        load_recipe(None, ["space.children=3"], {})


def test_it_is_described_at_its_published_size_unless_another_is_given() -> None:
    paper, small = describe("tall", []), describe("tall", ["space.width=0.5", "layers=1"])
    space = Tall(2)
    for told, size in ((paper, Tall.paper_size), (small, TallSettings(width=0.5, layers=1))):
        least = costs(space, size).extremes(space.parts(space.region), "parameters")[0]
        assert told["parameters"]["min"] == least


def test_it_keeps_the_laws() -> None:
    check_space(Tall())
    assert SPACES["tall"].settings_class is TallSettings


def test_a_user_who_needs_no_settings_has_channels_and_cells() -> None:
    class Short(NamedSpace):
        name = "short"
        choices = Tall(2).choices

        def layout(self, size: NetworkSize, image_channels: int) -> Layout:
            return Tall(2).layout(TallSettings(width=size.channels / 4), image_channels)

    register_space(Short)
    recipe = load_recipe(None, ["space.name=short", "space.channels=4"], {})
    assert recipe.space.size == NetworkSize(4, 1)
    with pytest.raises(UserError, match=r"space\.ops=4: short has no operations to choose from"):
        find_space(load_recipe(None, ["space.name=short", "space.ops=4"], {}).space)


def test_keys_of_all_spaces_are_known() -> None:
    assert {"space.width", "space.layers", "space.ops", "space.channels"} <= set(known_keys(Recipe))
    assert {"space.width", "space.children"} <= set(known_keys(StudyRecipe))
