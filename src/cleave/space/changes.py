"""Architectures that differ in one choice, and whether a walk over such changes reaches all of a region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from cleave.space.choice import Arch, joined
from cleave.space.region import Region
from cleave.space.sample import ENUMERABLE
from cleave.space.space import Space, pick

TRIES = 200
"""Changes that are drawn before all of them are listed."""
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Neighbours:
    """One list of `Space.parts`, and which of it are one change from each other.

    That is one candidate for another, with what only the new one names or only the old one named, as a depth and the
    blocks that come with it; or one choice in place of another, as an edge of two that are kept.
    """

    archs: Sequence[Arch]

    @cached_property
    def choices(self) -> list[str]:
        """All that any of them names."""
        return list(dict.fromkeys(choice for arch in self.archs for choice in arch))

    @cached_property
    def numbers(self) -> Rows:
        """[archs, choices]: which candidate each has, -1 for a choice that it leaves out."""
        known: list[dict[str, int]] = [{} for _ in self.choices]
        return np.array([
            [seen.setdefault(arch[choice], len(seen)) if choice in arch else -1
             for choice, seen in zip(self.choices, known, strict=True)]
            for arch in self.archs
        ]).reshape(len(self.archs), len(self.choices))  # fmt: skip

    @cached_property
    def _by_name(self) -> dict[frozenset[tuple[str, str]], int]:
        return {frozenset(arch.items()): number for number, arch in enumerate(self.archs)}

    def row(self, arch: Arch) -> int:
        """The number of what an architecture chooses here."""
        own = set(self.choices)
        return self._by_name[frozenset((choice, each) for choice, each in arch.items() if choice in own)]

    def changed(self, row: int) -> Rows:
        """By alternative the choice, a number, that is changed from this one; -1 where that is not one change."""
        here, there = self.numbers[row], self.numbers
        differs = (here >= 0) & (there >= 0) & (here != there)
        gone, came = (here >= 0) & (there < 0), (here < 0) & (there >= 0)
        another = (differs.sum(axis=1) == 1) & ~(gone.any(axis=1) & came.any(axis=1))
        moved = ~differs.any(axis=1) & (gone.sum(axis=1) == 1) & (came.sum(axis=1) == 1)
        found: Rows = np.where(another, differs.argmax(axis=1), np.where(moved, gone.argmax(axis=1), -1))
        return found

    def changes(self, row: int) -> dict[str, list[Arch]]:
        """By choice what one change of it makes of this alternative."""
        found, changed = dict[str, list[Arch]](), self.changed(row)
        for number in np.flatnonzero(changed >= 0).tolist():
            found.setdefault(self.choices[changed[number]], []).append(self.archs[number])
        return found


class Reach(NamedTuple):
    """How many valid architectures a region has, and how many of them a walk reaches that begins at one of them."""

    valid: int
    found: int


class Changes:
    """Those of the architectures of a region."""

    def __init__(self, space: Space, region: Region) -> None:
        self.space, self.region = space, region
        self.parts = [Neighbours(part) for part in space.parts(region)]

    def of(self, arch: Arch) -> dict[str, list[Arch]]:
        """By choice all that differ from an architecture in it alone, valid or not."""
        found: dict[str, list[Arch]] = {}
        for part in self.parts:
            rest = {choice: each for choice, each in arch.items() if choice not in part.choices}
            for choice, others in part.changes(part.row(arch)).items():
                found[choice] = [{**rest, **other} for other in others]
        return found

    def next(self, arch: Arch, generator: torch.Generator) -> Arch:
        """A valid one that differs in one choice: first the choice is drawn, then what it becomes.

        The same one where there is no other in the region.
        """
        found = self.of(arch)
        if not found:
            return arch
        for _ in range(TRIES):
            drawn = pick(found[pick(list(found), generator)], generator)
            if self.space.valid(drawn):
                return drawn
        valid = [each for others in found.values() for each in others if self.space.valid(each)]
        return pick(valid, generator) if valid else arch

    @cached_property
    def reach(self) -> Reach | None:
        """None where that is not looked at: everything is valid, or there are too many to list."""
        if self.space.all_valid or self.space.count(self.region) > ENUMERABLE:
            return None
        ways = product(*(part.archs for part in self.parts))
        valid = np.array([self.space.valid(joined(way)) for way in ways]).reshape([len(p.archs) for p in self.parts])
        return Reach(int(valid.sum()), reached(valid, [self._links(part) for part in self.parts]))

    def _links(self, part: Neighbours) -> NDArray[np.bool_]:
        """[archs, archs]: which are one change from each other, or the same."""
        linked = np.array([part.changed(row) >= 0 for row in range(len(part.archs))])
        found: NDArray[np.bool_] = linked | np.eye(len(part.archs), dtype=bool)
        return found


def reached(valid: NDArray[np.bool_], links: Sequence[NDArray[np.bool_]]) -> int:
    """How many of the valid ones [archs of each part] a walk reaches from the first of them."""
    found = np.zeros_like(valid)
    found.flat[valid.argmax()] = valid.any()
    before = -1
    while (count := int(found.sum())) > before:
        before = count
        for axis, linked in enumerate(links):
            spread = np.moveaxis(np.tensordot(found, linked, axes=([axis], [0])), -1, axis)
            found |= spread.astype(bool) & valid
    return before
