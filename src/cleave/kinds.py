"""Sections of a recipe whose keys depend on a kind that they name, which a user's file may have added."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cleave.registry import known_name, registry

if TYPE_CHECKING:
    from cleave.settings import Settings

METHODS, SPLITTERS = "cleave.method:METHODS", "cleave.split.splitters:SPLITTERS"
SPACES = "cleave.space.registry:SPACES"
"""Where kinds are registered."""
OPEN = {
    "space": (SPACES, "name", "nasbench201"),
    "method": (METHODS, "name", "darts"),
    "split": (SPLITTERS, "splitter", "gradient"),
}
"""The sections whose keys depend on a kind: where kinds are registered, the key that names one, and the usual one."""


def of_kind(model: type[Settings], section: str, value: Any = None) -> Any:  # noqa: ANN401
    """A section of a recipe as the settings of the kind that it names."""
    given = {} if value is None else value
    if not isinstance(given, Mapping):
        return given
    name, settings = kind_in(model, section, given)
    return settings.model_validate({**given, OPEN[section][1]: name})


def kind_in(model: type[Settings], section: str, given: Mapping[str, Any]) -> tuple[Any, type[Settings]]:
    """The name of the kind that a section asks for, and its settings; one that is not named is the usual one."""
    place, key, usual = OPEN[section]
    name = given.get(key, model.usual.get(section, usual))
    if section == "space" and isinstance(name, str):  # it may be that of a class in a file, and stays as it is
        known = known_name(place, import_module("cleave.space.registry").named(name))
    else:
        name = known = known_name(place, name)
    return name, model.of_section(section, registry(place)[known].settings_class)
