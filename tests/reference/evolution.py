"""Evolution without cleverness: a population in a list, and parts of which every alternative is looked at."""

from __future__ import annotations

from collections.abc import Sequence

from cleave.space import Arch


def legal(alternatives: Sequence[Arch], genes: Arch) -> list[tuple[str, ...]]:
    """What the alternatives name that agree with all genes."""
    return [tuple(sorted(each)) for each in alternatives if all(genes[name] == each[name] for name in each)]


class Population:
    """As published: the best of a generation are the parents of the next, and stay in it."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.members: list[tuple[str, float]] = []

    def tell(self, texts: Sequence[str], scores: Sequence[float]) -> None:
        self.members = self.parents() + list(zip(texts, scores, strict=True))

    def parents(self) -> list[tuple[str, float]]:
        return sorted(self.members, key=lambda member: -member[1])[: self.kept]
