"""A part of a space: the candidates that are still allowed, choice by choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from cleave.space.choice import Arch


@dataclass(frozen=True)
class Region:
    """A box in the space: `allowed[choice]` are the candidates left, in the space's own order.

    A choice that is not named is left out of all its architectures. `alone`: it is that of one architecture whose
    network is trained by itself, and shares nothing with others.
    """

    allowed: Mapping[str, tuple[str, ...]]
    alone: bool = False

    def __post_init__(self) -> None:
        assert all(self.allowed.values()), "every choice needs an allowed candidate"

    @property
    def size(self) -> int:
        """The number of architectures (a property, since 6**28 would overflow `__len__`)."""
        return prod(len(candidates) for candidates in self.allowed.values())

    def __contains__(self, arch: object) -> bool:
        """Whether all that an architecture chooses is allowed; what it leaves out does not run, and is free."""
        return isinstance(arch, Mapping) and all(
            candidate in self.allowed.get(choice, ()) for choice, candidate in arch.items()
        )

    def restrict(self, choice: str, group: Sequence[str]) -> Region:
        """The part in which `choice` is one of `group`."""
        assert set(group) <= set(self.allowed[choice]), f"{group} are not all allowed on {choice!r}"
        kept = tuple(candidate for candidate in self.allowed[choice] if candidate in group)
        return Region({**self.allowed, choice: kept})

    def split(self, choice: str, groups: Sequence[Sequence[str]]) -> tuple[Region, ...]:
        """One part per group; the groups must be disjoint and cover the choice's candidates."""
        listed = [candidate for group in groups for candidate in group]
        assert sorted(listed) == sorted(self.allowed[choice]), f"{groups} is no partition of {choice!r}"
        return tuple(self.restrict(choice, group) for group in groups)

    @staticmethod
    def of(arch: Arch) -> Region:
        """The region that holds this architecture alone."""
        return Region({choice: (candidate,) for choice, candidate in arch.items()}, alone=True)

    @property
    def arch(self) -> Arch | None:
        """The architecture that it holds `alone`."""
        return {choice: only for choice, (only,) in self.allowed.items()} if self.alone else None
