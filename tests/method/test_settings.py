"""What a recipe may say about a method."""

from __future__ import annotations

from typing import Any

import pytest

from cleave.config import load_recipe
from cleave.errors import UserError
from cleave.method import METHODS
from cleave.resolve import resolve
from cleave.settings import Recipe
from cleave.space import find_space


def recipe(*changes: str) -> Recipe:
    return load_recipe(None, changes, {})


def resolved(*changes: str) -> tuple[Recipe, list[str]]:
    asked = recipe(*changes)
    return resolve(asked, find_space(asked.space))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("DARTS-2nd", "darts2"), ("darts2nd", "darts2"), ("darts_v2", "darts2"), ("DARTS2", "darts2"),
        ("darts-1st", "darts"), ("DrNAS", "drnas"), ("GDAS", "gdas"), ("snas", "snas"), ("DARTS", "darts"),
    ],
)  # fmt: skip
def test_methods_may_be_spelled_as_people_spell_them(written: str, meant: str) -> None:
    assert recipe(f"method.name={written}").method.name == meant


def test_every_method_has_settings_of_its_name_and_every_alias_a_method() -> None:
    assert {kind.settings_class().model_dump()["name"]: kind for kind in METHODS.values()} == METHODS
    assert set(METHODS.aliases.values()) <= set(METHODS)
    assert not set(METHODS.aliases) & set(METHODS)


ON_ELASTIC = ("space.name=mobilenet-ofa", "search.epochs=6")


@pytest.mark.parametrize("name", METHODS)
def test_a_resolved_recipe_says_the_same_when_it_is_read_again(name: str) -> None:
    whole, _ = resolved(f"method.name={name}", *(ON_ELASTIC if METHODS[name].elastic else ()))
    again = Recipe.model_validate(whole.model_dump(mode="json"))
    assert again.method == whole.method
    assert again.method.name == name


@pytest.mark.parametrize("key", ["learning_rate_warmup", "architecture_after"])
def test_what_begins_after_the_last_epoch_is_refused(key: str) -> None:
    with pytest.raises(UserError, match=rf"method\.{key}=3: must be below search\.epochs=3"):
        resolved(f"method.{key}=3", "search.epochs=3")
    assert resolved(f"method.{key}=2", "search.epochs=3")


@pytest.mark.parametrize("name", ["snas", "gdas"])
def test_a_temperature_that_rises_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"method\.temperature_min=2\.0: is above method\.temperature=1\.0; swap them"):
        resolved(f"method.name={name}", "method.temperature=1", "method.temperature_min=2")
    resolved(f"method.name={name}", "method.temperature=2", "method.temperature_min=2")


@pytest.mark.parametrize("change", ["method.temperature=0", "method.temperature_min=-1", "method.temperature=.inf"])
def test_a_temperature_is_a_positive_number(change: str) -> None:
    with pytest.raises(UserError, match=change.split("=")[0].replace(".", r"\.") + ":"):
        recipe("method.name=snas", change)


@pytest.mark.parametrize("name", ["darts", "darts2", "drnas", "rsps"])
def test_a_temperature_means_nothing_to_the_others(name: str) -> None:
    with pytest.raises(UserError, match=r"method\.temperature: has no meaning with this method\.name"):
        recipe(f"method.name={name}", "method.temperature=1")


def test_the_temperatures_are_the_published_ones() -> None:
    course: dict[str, Any] = {name: recipe(f"method.name={name}").method for name in ("snas", "gdas")}
    assert {name: (each.temperature, each.temperature_min) for name, each in course.items()} == {
        "snas": (1.0, 0.1),
        "gdas": (10.0, 0.1),
    }


@pytest.mark.parametrize(("name", "noted"), [("gdas", True), ("rsps", True), ("snas", False), ("darts2", False)])
def test_own_weights_are_noted_as_unused_where_all_are_one(name: str, noted: bool) -> None:
    notes = resolved(f"method.name={name}", "split.enable=own")[1]
    assert any(note.startswith("split.enable=own") for note in notes) is noted
