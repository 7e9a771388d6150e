"""Children of architectures: mutation and crossover choice by choice, also where architectures leave choices out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch

from cleave.space.choice import Arch
from cleave.space.region import Region
from cleave.space.space import Space, pick

Names = tuple[str, ...]
"""The choices that an alternative of a part names, sorted."""


@dataclass(frozen=True)
class Part:
    """One list of `Space.parts`: by the choices that an alternative names, what it may choose there."""

    known: Mapping[Names, Collection[Names]]

    @staticmethod
    def of(alternatives: Sequence[Arch]) -> Part:
        known: dict[Names, set[Names]] = {}
        for each in alternatives:
            names = named(each)
            known.setdefault(names, set()).add(tuple(each[name] for name in names))
        return Part(known)

    def legal(self, genes: Arch) -> list[Names]:
        """What an architecture of these genes may name here.

        One way where a gene settles it, as a depth does; several where two of many edges are kept.
        """
        return [names for names, chosen in self.known.items() if tuple(genes[name] for name in names) in chosen]

    def named_by(self, arch: Arch) -> Names:
        """What of it an architecture names."""
        own = {name for names in self.known for name in names}
        return named(own & arch.keys())


class Genes:
    """The children of architectures of one region.

    Every choice is a gene. An architecture has no gene of a choice that it leaves out: a child that needs one has it
    from the other parent, else it is drawn.
    """

    def __init__(self, space: Space, region: Region) -> None:
        self.allowed = region.allowed
        self.parts = [Part.of(alternatives) for alternatives in space.parts(region)]

    def mutant(self, parent: Arch, chance: float, generator: torch.Generator) -> Arch | None:
        """A child of one parent: each gene is drawn anew with that chance. None where the genes fit nothing together.

        What decides which choices are named, where no choice does, counts as a gene of its part.
        """
        return self._child([parent], chance, generator)

    def cross(self, one: Arch, other: Arch, generator: torch.Generator) -> Arch | None:
        """A child that has each gene of either parent, with equal chances. None where they fit nothing together."""
        return self._child([one, other], 0.0, generator)

    def arch(self, genes: Arch, generator: torch.Generator) -> Arch | None:
        """What genes of all choices make; None where they fit nothing together. What they leave open is drawn."""
        found: dict[str, str] = {}
        for part in self.parts:
            if not (legal := part.legal(genes)):
                return None
            names = legal[0] if len(legal) == 1 else pick(legal, generator)
            found |= {name: genes[name] for name in names}
        return found

    def _child(self, parents: Sequence[Arch], chance: float, generator: torch.Generator) -> Arch | None:
        genes = self._genes(parents, chance, generator)
        child: dict[str, str] = {}
        for part in self.parts:
            if not (legal := part.legal(genes)):
                return None
            names = legal[0] if len(legal) == 1 else self._names(part, legal, parents, chance, generator)
            child |= {name: genes[name] for name in names}
        return child

    def _genes(self, parents: Sequence[Arch], chance: float, generator: torch.Generator) -> Arch:
        """A candidate for every choice of the region."""
        anew = torch.rand(len(self.allowed), generator=generator) < chance
        genes = {}
        for (choice, allowed), drawn in zip(self.allowed.items(), anew.tolist(), strict=True):
            inherited = [parent[choice] for parent in parents if choice in parent]
            genes[choice] = pick(allowed if drawn or not inherited else inherited, generator)
        return genes

    def _names(
        self, part: Part, legal: Sequence[Names], parents: Sequence[Arch], chance: float, generator: torch.Generator
    ) -> Names:
        """What a child names in a part where its other genes leave that open."""
        drawn = torch.rand((), generator=generator).item() < chance
        inherited = [names for parent in parents if (names := part.named_by(parent)) in legal]
        return pick(legal if drawn or not inherited else inherited, generator)


def named(choices: Collection[str]) -> Names:
    return tuple(sorted(choices))
