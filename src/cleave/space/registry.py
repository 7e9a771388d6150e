"""The spaces that can be named in a recipe."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from cleave.errors import UserError
from cleave.extensions import class_in, is_entry, load_extension, split_entry, telling_lines
from cleave.registry import Registry, registering
from cleave.settings import SpaceSettings
from cleave.space.cells64 import Cells64
from cleave.space.darts import Darts
from cleave.space.laws import check_data
from cleave.space.mobilenet import MobileNetProxyless
from cleave.space.nb201 import NASBench201
from cleave.space.ofa import MobileNetOfa
from cleave.space.space import Space
from cleave.space.timm_networks import TimmNetworks

SpaceClass = TypeVar("SpaceClass", bound=type[Space])


class SpaceKind(Protocol):
    """What makes a space from what a recipe says about it: its class, or what stands for it."""

    @property
    def settings_class(self) -> type[SpaceSettings]: ...

    def from_settings(self, settings: Any) -> Space: ...  # noqa: ANN401


SPACES: Registry[SpaceKind] = Registry("space.name")
SPACES.register(NASBench201.name, NASBench201, "nb201")
SPACES.register(Cells64.name, Cells64, "64cells")
SPACES.register(Darts.name, Darts)
SPACES.register(MobileNetProxyless.name, MobileNetProxyless, "proxyless")
SPACES.register(MobileNetOfa.name, MobileNetOfa, "ofa")
SPACES.register(TimmNetworks.name, TimmNetworks)


@dataclass(frozen=True)
class OwnSpace:
    """A user's class, whose spaces are held to the laws that need no network."""

    kind: type[Space]

    @property
    def settings_class(self) -> type[SpaceSettings]:
        return self.kind.settings_class

    def from_settings(self, settings: SpaceSettings) -> Space:
        module = self.kind.__module__
        file = getattr(sys.modules.get(module), "__file__", None) or module  # a notebook's class has no file
        with telling_lines(Path(file)):
            made = self.kind.from_settings(settings)
            check_data(made)
        return made


def register_space(kind: SpaceClass) -> SpaceClass:
    """Registers a space under its `name`. It is made without arguments, unless its class has a `from_settings`."""
    if not isinstance(getattr(kind, "name", None), str):
        raise UserError(f'space {kind.__name__}: has no name, as in name = "{kind.__name__.lower()}"')
    SPACES.register(kind.name, OwnSpace(kind))
    return kind


def find_space(asked: str | SpaceSettings, operations: int | Sequence[str] | None = None) -> Space:
    """The space that settings name, or of a name ("NAS-Bench-201" and "nb201" too), or of a class, "FILE.py:Class".

    UserError for an unknown one. A user's own is held to what can be told without a network (`cleave.space.laws`).
    """
    if isinstance(asked, str):
        asked = settings_from({"name": asked, **({} if operations is None else {"ops": operations})})
    return SPACES.find(named(asked.name)).from_settings(asked)


def settings_from(given: Mapping[str, Any]) -> SpaceSettings:
    """The settings of a space by key, its name among them; UserError for what it cannot be told."""
    kind = SPACES.find(named(given["name"])).settings_class
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        key = ".".join(map(str, mistake["loc"]))
        raise UserError(f"space.{key}: {mistake['msg']}; {given['name']} has {', '.join(kind.model_fields)}") from error


def named(name: str) -> str:
    """The name of a space; that of a class in a file, which is run if it was not before, is its own."""
    if not is_entry(name):
        return name
    kind = class_in(name, Space, "Space")
    file = load_extension(split_entry(name)[0]).file
    with telling_lines(file), registering(file):
        return str(register_space(kind).name)
