"""The spaces that can be named in a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cleave.errors import plain, unknown
from cleave.space import cells64, nb201
from cleave.space.space import Space

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

SPACES: dict[str, Callable[[Operations], Space]] = {
    "nasbench201": lambda operations: nb201.NASBench201(listed(operations, NB201)),
    "cells64": lambda operations: cells64.Cells64(listed(operations, {4: cells64.OPERATIONS})),
}
ALIASES = {"nb201": "nasbench201", "64cells": "cells64"}


def find_space(name: str, operations: Operations = None) -> Space:
    """The space of that name ("NAS-Bench-201" and "nb201" too); UserError for an unknown one."""
    key = ALIASES.get(plain(name), plain(name))
    if key not in SPACES:
        raise unknown("space.name", name, SPACES)
    return SPACES[key](operations)
