"""What is given in Python, as keys of a recipe: names, objects, settings."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from inspect import isclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from cleave.config import Kind, Raw, checked, put, read_yaml
from cleave.data.given import Dataset, Given, of_dataset, of_tensors
from cleave.data.images import TENSORS
from cleave.engine.engine import ONE, Engine
from cleave.errors import UserError, plain, shown
from cleave.extensions import use_extensions
from cleave.settings import MethodSettings, Settings, SpaceSettings, SplitSettings
from cleave.space import Space
from cleave.space.registry import SPACES

SpaceLike: TypeAlias = str | Space | type[Space]
MethodLike: TypeAlias = str | MethodSettings | type[MethodSettings]
SplitterLike: TypeAlias = str | SplitSettings
DataLike: TypeAlias = str | Path | tuple[Any, ...] | list[Any] | Dataset
"""A name, a folder, (images, labels), (images, labels, names of the classes), or a Dataset."""
RecipeLike: TypeAlias = str | Path | Mapping[str, Any] | Settings


def recipe_from(kind: type[Kind], recipe: RecipeLike | None, *asked: Mapping[str, Any]) -> Kind:
    """A recipe (a file, a mapping, settings; None: the defaults), changed by dotted keys; UserError names the key.

    The last of several mappings that give a key counts.
    """
    raw = raw_of(recipe)
    for keys in asked:
        for key, value in keys.items():
            put(raw, key, value)
    return checked(kind, use_extensions(raw))


def raw_of(recipe: RecipeLike | None) -> Raw:
    """A recipe as a mapping of our own."""
    if recipe is None:
        return {}
    if isinstance(recipe, str | Path):
        return read_yaml(Path(recipe))
    return dumped(recipe) if isinstance(recipe, BaseModel) else deepcopy(dict(recipe))


def dumped(settings: BaseModel) -> Raw:
    """What was set of settings, and their name where they have one, or their splitter, which says what they are of."""
    raw = {}
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if isinstance(value, BaseModel):
            raw[key] = dumped(value)
        elif key in settings.model_fields_set or key in ("name", "splitter"):
            raw[key] = value
    return raw


def without(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that were given."""
    return {key: value for key, value in keys.items() if value is not None}


def once(keys: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """UserError where a key is an argument of its own and in the settings too."""
    for key in settings:
        if key in keys:
            raise UserError(f"{key}: is given twice, by an argument of its own and in settings; give it once")


def space_keys(space: SpaceLike | None, engine: Engine = ONE) -> dict[str, Any]:
    """The keys that name a space. One that is no name's is registered for this process; again replaces it."""
    if space is None or isinstance(space, str):
        return without({"space.name": space})
    made = space() if isinstance(space, type) else space
    if not isinstance(made, Space):
        raise UserError(f"space: give a name or a cleave.Space, not {shown(space)}")
    if is_own(type(made)) and SPACES.get(made.name) is type(made):
        return {"space.name": made.name, **{f"space.{key}": value for key, value in made.asked().items()}}
    check_importable(made, engine)
    return {"space.name": register(made)}


def register(space: Space) -> str:
    """Has a recipe find a space under its name; UserError where that is one of cleave's own."""
    key = plain(space.name)
    if any(is_own(kind) and plain(name) == key for name, kind in SPACES.items()):
        raise UserError(f"space: {space.name} is the name of a space of cleave's own; give yours another name")
    SPACES[key] = GivenSpace(space)
    return space.name


def is_own(kind: object) -> bool:
    """Whether it is a space of cleave's own, which a recipe can name."""
    return isclass(kind) and kind.__module__.startswith("cleave.")


@dataclass(frozen=True)
class GivenSpace:
    """An object that stands for what a recipe names."""

    space: Space

    @property
    def settings_class(self) -> type[SpaceSettings]:
        return self.space.settings_class

    def from_settings(self, settings: SpaceSettings) -> Space:
        if getattr(settings, "ops", None) is not None:
            raise UserError(
                f"space.ops: has no meaning with {settings.name}, which is given as an object; leave it out"
            )
        return self.space


def check_importable(space: Space, engine: Engine) -> None:
    """UserError where worker processes would not find the class."""
    kind = type(space)
    if not engine.here and (kind.__module__ == "__main__" or "<locals>" in kind.__qualname__):
        raise UserError(
            f"workers={engine.workers}, engine={engine.name}: other processes cannot import {kind.__name__}; give "
            "workers=1 and engine=process, or save the class in a file, import it from there and give that"
        )


def method_keys(method: MethodLike | None) -> dict[str, Any]:
    """The keys of a method's name or settings."""
    if method is None or isinstance(method, str):
        return without({"method.name": method})
    made = method.model_validate({}) if isinstance(method, type) else method
    if not isinstance(made, MethodSettings):
        raise UserError(
            f"method: give a name or settings, as in cleave.method.RspsSettings(samples=5), not {shown(method)}"
        )
    return {"method": dumped(made)}


def splitter_keys(splitter: SplitterLike | None) -> dict[str, Any]:
    """The keys of a splitter's name or settings."""
    if splitter is None or isinstance(splitter, str):
        return without({"split.splitter": splitter})
    if not isinstance(splitter, SplitSettings):
        raise UserError(f"splitter: give a name or settings.SplitSettings(...), not {shown(splitter)}")
    return {"split": dumped(splitter)}


def images_from(data: DataLike | None) -> tuple[dict[str, Any], Given | None]:
    """The key that names images, and what reads those that no recipe can name."""
    if data is None or isinstance(data, str | Path):
        return without({"data.name": None if data is None else str(data)}), None
    if isinstance(data, tuple | list):
        if len(data) not in (2, 3):
            raise UserError(f"data: give (images, labels) or (images, labels, classes), not {len(data)} of them")
        images, labels, classes = (*data, None)[:3]
        return {"data.name": TENSORS}, partial(of_tensors, images, labels, classes)
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise UserError(
            f"data: give a name, a folder, (images, labels), or a Dataset that has a length, not {shown(data)}"
        )
    return {"data.name": TENSORS}, partial(of_dataset, data)
