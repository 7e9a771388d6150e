"""The kind of block that Once-for-All searches: an inverted residual block of which an architecture takes a part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cleave.ops import Operations
from cleave.ops.mobile import whole
from cleave.space.choice import Arch
from cleave.space.layout import Block, Counts, Graph, Link


class Part(NamedTuple):
    """What an architecture takes of a block: a kernel's side, and channels in the middle by their factor."""

    kernel: int
    expand: int


@dataclass(frozen=True)
class Elastic(Block):
    """Block `number` (from 0) of a unit: it runs where the unit's depth is greater, and hands on what it gets else.

    `kernel`, `expand` and `depth` are choices, whose candidates are read by `numbers`; the first two may be one choice.
    `shortest` is the least depth of the unit. All parts are of one set of weights: the smaller kernel is made of the
    larger one's centre, the smaller expansion takes the first channels (Cai et al., 2020).
    """

    kernel: str
    expand: str
    depth: str
    number: int
    shortest: int
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    channels_in: int
    channels_out: int
    stride: int = 1
    activation: str = "relu"
    squeeze: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """One that always runs does not ask for the depth."""
        inner = tuple(dict.fromkeys((self.kernel, self.expand)))
        return inner if self.number < self.shortest else (*inner, self.depth)

    @property
    def graph(self) -> Graph:
        """Kernel and expansion, one after the other; a depth is seen by how many blocks there are."""
        inner = tuple(choice for choice in self.choices if choice != self.depth)
        return Graph(("input", *inner), tuple(Link(choice, at, at + 1) for at, choice in enumerate(inner)), path=True)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels_in, self.channels_out, self.stride

    def part(self, arch: Arch) -> Part | None:
        """What it takes; None where the block does not run."""
        if self.number >= self.shortest and numbers(arch[self.depth])["d"] <= self.number:
            return None
        found = numbers(arch[self.kernel], arch[self.expand])
        return Part(found["k"], found["e"])

    def middle(self, expand: int) -> int:
        """The channels in the middle."""
        return whole(self.channels_in * expand)

    def live(self, arch: Arch, operations: Operations) -> Iterable[str]:
        if self.depth in arch and numbers(arch[self.depth])["d"] <= self.number:
            return [self.depth] if self.number >= self.shortest else []
        return [choice for choice in (self.kernel, self.expand, self.depth) if choice in arch]

    def deepest(self, arch: Arch, counts: Counts) -> int:
        """Every part of it convolves."""
        return int(self.part(arch) is not None)


def numbers(*candidates: str) -> dict[str, int]:
    """What candidates stand for, as in {"k": 5, "e": 4} of "k5_e4", or of "k5" and "e4"; "d3" is a depth."""
    return {part[0]: int(part[1:]) for each in candidates for part in each.split("_")}


def size_of(candidate: str) -> tuple[int, ...]:
    """By which candidates of a choice are larger or smaller."""
    return tuple(numbers(candidate).values())


def among_largest(candidates: Sequence[str], most: Mapping[str, int]) -> tuple[str, ...]:
    """Those that have one of so many of the largest numbers, by letter; a letter that is not named may be any number.

    As in {"k": 2} for the two largest kernels.
    """
    offered = {letter: sorted({numbers(each).get(letter, 0) for each in candidates}) for letter in most}
    return tuple(
        each
        for each in candidates
        if all(number in offered[letter][-most[letter] :] for letter, number in numbers(each).items() if letter in most)
    )
