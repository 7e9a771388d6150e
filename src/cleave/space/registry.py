"""The spaces that can be named in a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cleave.errors import UserError, shown, unknown
from cleave.extensions import class_in, file_of, is_entry, load_extension, split_entry, telling_lines
from cleave.registry import Registry, registering
from cleave.space import cells64, nb201
from cleave.space.laws import check_data
from cleave.space.space import Space

SpaceClass = TypeVar("SpaceClass", bound=type[Space])
Operations = int | Sequence[str] | None
"""Which operations a space offers: all (None), how many, or which."""


def listed(operations: Operations, by_count: Mapping[int, Sequence[str]]) -> Sequence[str]:
    """The operations meant; `by_count` are those that a number stands for, first all."""
    if operations is None:
        return next(iter(by_count.values()))
    if not isinstance(operations, int):
        return operations
    if operations not in by_count:
        raise unknown("space.ops", str(operations), (*map(str, by_count), "a list of operations"))
    return by_count[operations]


NB201 = {5: nb201.OPERATIONS, 4: nb201.OPERATIONS[1:]}
"""4 operations are those of GM-NAS's ablations: all but none."""

SPACES: Registry[Callable[[Operations], Space]] = Registry("space.name")
SPACES.register("nasbench201", lambda operations: nb201.NASBench201(listed(operations, NB201)), "nb201")
SPACES.register(
    "cells64", lambda operations: cells64.Cells64(listed(operations, {4: cells64.OPERATIONS})), "64cells"
)  # fmt: skip


@dataclass(frozen=True)
class SpaceFactory:
    """Makes a space of a class that has nothing to be told."""

    kind: type[Space]

    def __call__(self, operations: Operations) -> Space:
        if operations is not None:
            raise UserError(f"space.ops={shown(operations)}: {self.kind.name} has no operations to choose from")
        with telling_lines(Path(file_of(self.kind))):
            made = self.kind()
            check_data(made)
        return made


def register_space(kind: SpaceClass) -> SpaceClass:
    """Registers a space, which is made without arguments, under its `name`."""
    if not isinstance(getattr(kind, "name", None), str):
        raise UserError(f'space {kind.__name__}: has no name, as in name = "{kind.__name__.lower()}"')
    SPACES.register(kind.name, SpaceFactory(kind))
    return kind


def find_space(name: str, operations: Operations = None) -> Space:
    """The space of that name ("NAS-Bench-201" and "nb201" too), or of a class, "FILE.py:Class".

    UserError for an unknown one. A user's own is held to what can be told without a network (`cleave.space.laws`).
    """
    return SPACES.find(named(name))(operations)


def named(name: str) -> str:
    """The name of a space; that of a class in a file, which is run if it was not before, is its own."""
    if not is_entry(name):
        return name
    kind = class_in(name, Space, "Space")
    file = load_extension(split_entry(name)[0]).file
    with telling_lines(file), registering(file):
        return str(register_space(kind).name)
