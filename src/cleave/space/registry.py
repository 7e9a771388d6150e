"""The spaces that can be named in a recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cleave.errors import plain, unknown
from cleave.space import cells64
from cleave.space.nb201 import OPERATIONS, NASBench201
from cleave.space.space import Space

Operations = int | Sequence[str] | None
"""Which operations a space offers: all (None), how many, or which."""


def _nasbench201(operations: Operations) -> Space:
    """4 operations are those of GM-NAS's ablations: all but none."""
    return NASBench201(_listed(operations))


def _listed(operations: Operations) -> Sequence[str]:
    if operations is None or operations == 5:
        return OPERATIONS
    if operations == 4:
        return OPERATIONS[1:]
    if isinstance(operations, int):
        raise unknown("space.ops", str(operations), ("4", "5", "a list of operations"))
    return operations


def _cells64(operations: Operations) -> Space:
    """All four operations, or those listed."""
    if isinstance(operations, int) and operations != 4:
        raise unknown("space.ops", str(operations), ("4", "a list of operations"))
    return cells64.Cells64(cells64.OPERATIONS if operations is None or isinstance(operations, int) else operations)


SPACES: dict[str, Callable[[Operations], Space]] = {"nasbench201": _nasbench201, "cells64": _cells64}
ALIASES = {"nb201": "nasbench201", "64cells": "cells64"}


def find_space(name: str, operations: Operations = None) -> Space:
    """The space of that name ("NAS-Bench-201" and "nb201" too); UserError for an unknown one."""
    key = ALIASES.get(plain(name), plain(name))
    if key not in SPACES:
        raise unknown("space.name", name, SPACES)
    return SPACES[key](operations)
