"""A decision of the search, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Arch = Mapping[str, str]
"""An architecture: the chosen candidate of every choice, by name. What it leaves out does not run."""


@dataclass(frozen=True)
class Choice:
    """A named decision and its candidates; places in a network refer to it by name, and several may."""

    name: str
    candidates: tuple[str, ...]

    def __post_init__(self) -> None:
        assert self.candidates, f"choice {self.name!r} has no candidates"
        assert len(set(self.candidates)) == len(self.candidates), f"choice {self.name!r} repeats a candidate"


def joined(parts: Iterable[Arch]) -> Arch:
    """The architecture that is put together from these."""
    return {choice: candidate for part in parts for choice, candidate in part.items()}
