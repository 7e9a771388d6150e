"""What can be named in a recipe, by name: open to new kinds. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from cleave.errors import UserError, plain, unknown

Kind = TypeVar("Kind")
Own = TypeVar("Own")

UNKNOWN = "unknown_name"
"""The type of pydantic's error for a name that is in no registry; its context has the one `given` and all `known`."""

_files: list[Path] = []
"""The user's file that is being loaded, last."""


@contextmanager
def registering(file: Path) -> Iterator[None]:
    """Meanwhile what is registered belongs to a user's file."""
    _files.append(file)
    try:
        yield
    finally:
        _files.pop()


class Registry(dict[str, Kind]):
    """Kinds by name. Registering a name again replaces the kind, as in a notebook whose cell is run again.

    A user's file may not: it would change what a name means that somebody else gave.
    """

    def __init__(self, key: str) -> None:
        """`key` is the recipe's, or what else people call the names by."""
        super().__init__()
        self.key = key
        self.aliases: dict[str, str] = {}
        self._files: dict[str, Path | None] = {}

    def register(self, name: str, kind: Kind, *aliases: str) -> None:
        """UserError where the kind has another name already, or a user's file takes a name that is not its own."""
        file = _files[-1] if _files else None
        other = next((each for each, known in self.items() if known == kind and each != name), None)
        if other is not None:
            title = getattr(kind, "__name__", name)
            raise UserError(f"{self.key}: {title} is registered as {other!r} and as {name!r}; give it one name")
        if file is not None and name in self and self._files.get(name) != file:
            owner = self._files.get(name)
            raise UserError(f"{file}: {self.key} {name!r} is there already, of {owner or 'cleave'}; give another name")
        for alias in map(plain, aliases):
            if self.canonical(alias) not in (alias, name):
                raise UserError(f"{self.key}: {alias!r} means {self.canonical(alias)!r} already; give another alias")
        self[name] = kind
        self._files[name] = file
        self.aliases |= {plain(alias): name for alias in aliases}

    def named(self, name: str, *aliases: str) -> Callable[[Own], Own]:
        """A decorator that registers what it is put on, and leaves that as it is."""

        def register(kind: Own) -> Own:
            self.register(name, cast("Kind", kind), *aliases)
            return kind

        return register

    def canonical(self, name: str) -> str:
        """A name as people vary it ("NAS-Bench_201", an alias) as it is registered; unknown ones as they are."""
        known = self.aliases | {plain(each): each for each in self}
        return name if name in self else known.get(plain(name), name)

    def find(self, name: str) -> Kind:
        """UserError, with the nearest name, for an unknown one."""
        found = self.canonical(name)
        if found not in self:
            raise unknown(self.key, name, self)
        return self[found]


def registry(place: str) -> Registry[Any]:
    """The one at "module:NAME", which is only now imported: what it registers may need torch."""
    module, _, name = place.partition(":")
    found: Registry[Any] = getattr(import_module(module), name)
    return found


def known_name(place: str, name: object) -> str:
    """The name as the registry at a place has it; an error of pydantic's for an unknown one."""
    kinds, given = registry(place), str(name)
    found = kinds.canonical(given)
    if found not in kinds:
        raise PydanticCustomError(UNKNOWN, "unknown", {"given": given, "known": list(kinds)})
    return found


def spelled(*names: str, **aliases: str) -> BeforeValidator:
    """Lets a name be written with other capitals, hyphens or underscores, or by an alias."""
    known = {plain(name): name for name in names} | aliases

    def canonical(value: Any) -> Any:  # noqa: ANN401
        return known.get(plain(value), value) if isinstance(value, str) else value

    return BeforeValidator(canonical)
