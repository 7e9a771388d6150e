"""A search space: named choices, their text form, and the layout of its networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from cleave.errors import UserError, shown, unknown
from cleave.space.choice import Arch, Choice
from cleave.space.layout import Layout
from cleave.space.region import Region


@dataclass(frozen=True)
class NetworkSize:
    """The size of a space's networks: `channels` of the first cell or layer, and `cells` per stage."""

    channels: int
    cells: int


class Space(ABC):
    """A list of named choices. A concrete space adds data and a layout, not loops."""

    name: str
    choices: tuple[Choice, ...]
    paper_size: NetworkSize
    tabulated = False
    """Whether there is a table of trained accuracies for its architectures."""

    @abstractmethod
    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        """The network of this space at this size, as data."""

    @abstractmethod
    def parse(self, text: str) -> Arch:
        """The architecture that `text` writes down; UserError where it is malformed."""

    @abstractmethod
    def format(self, arch: Arch) -> str:
        """The space's own way of writing `arch`: the inverse of `parse`."""

    def draw(self, arch: Arch) -> str:
        """The architecture for the eye: here one line per choice."""
        return "\n".join(f"{choice.name}: {arch[choice.name]}" for choice in self.choices if choice.name in arch)

    def valid(self, arch: Arch) -> bool:
        """Whether `arch` computes something from its input (all do, unless a space says otherwise)."""
        return True

    def holds_valid(self, region: Region) -> bool:
        """Whether the region has a valid architecture."""
        return True

    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        """The strongest allowed candidate of each choice; weights are [allowed candidates], first wins ties."""
        return {choice: allowed[int(weights[choice].argmax())] for choice, allowed in region.allowed.items()}

    def every(self, region: Region) -> Iterator[Arch]:
        """Every architecture of a region, valid or not; here each names every choice.

        A space whose architectures leave choices out overrides this, `count` and `uniform`.
        """
        for candidates in product(*region.allowed.values()):
            yield dict(zip(region.allowed, candidates, strict=True))

    def count(self, region: Region) -> int:
        """How many those are."""
        return region.size

    def uniform(self, region: Region, generator: torch.Generator) -> Arch:
        """One of them, uniformly."""
        return {choice: pick(allowed, generator) for choice, allowed in region.allowed.items()}

    @property
    def region(self) -> Region:
        """The whole space."""
        return Region({choice.name: choice.candidates for choice in self.choices})

    def sample(self, region: Region, generator: torch.Generator) -> Arch:
        """A valid architecture of the region, uniformly (rejecting the invalid ones)."""
        assert self.holds_valid(region), "the region holds no valid architecture"
        while True:
            arch = self.uniform(region, generator)
            if self.valid(arch):
                return arch


def offered(operations: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The operations that a space is asked to offer, in its own order; UserError unless they are two or more of it."""
    for operation in operations:
        if operation not in known:
            raise unknown("space.ops", operation, known)
    if len(set(operations)) != len(operations) or len(operations) < 2:
        raise UserError(f"space.ops: give two or more different operations, not {shown(list(operations))}")
    return tuple(operation for operation in known if operation in operations)


def pick(candidates: Sequence[str], generator: torch.Generator) -> str:
    """One of the candidates, uniformly."""
    return candidates[int(torch.randint(len(candidates), (), generator=generator))]
