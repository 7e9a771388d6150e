"""Copies of the weights of a block's candidates: an architecture uses one by how deep it is up to there (Efficient
Few-Shot Neural Architecture Search, AAAI 2025, arXiv 2412.14678)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cleave.space.choice import Arch
from cleave.space.layout import Block, Layout
from cleave.space.nonlinearity import Nonlinearity

LARGEST = 1000
"""Architectures whose copies are remembered."""


@dataclass(frozen=True)
class WeightCopies:
    """Those of one block: an architecture uses the one whose number is that of the thresholds below its depth there.

    `depth` is of all searched blocks up to this one, itself included. `thresholds` rise.
    """

    thresholds: tuple[int, ...]
    depth: Nonlinearity
    found: dict[tuple[str | None, ...], int] = field(default_factory=dict, compare=False, repr=False)
    """What was asked for lately, by what is chosen."""

    def of(self, arch: Arch) -> int:
        """The number of the copy that an architecture uses, from 0 on."""
        chosen = tuple(map(arch.get, self.depth.choices))
        if chosen not in self.found:
            if len(self.found) == LARGEST:
                self.found.clear()
            self.found[chosen] = self._at(self.depth(arch))
        return self.found[chosen]

    def count(self, allowed: Mapping[str, Sequence[str]]) -> int:
        """How many some architecture of these candidates uses: no others have to exist."""
        return 1 + self._at(self.depth.most(allowed))

    def _at(self, depth: int) -> int:
        return bisect_left(self.thresholds, depth)


def copied(layout: Layout, thresholds: Sequence[int]) -> Layout:
    """A layout whose searched blocks have copies of their weights. `can_be_copied` has to hold."""
    blocks: list[tuple[str, Block]] = []
    depth = Nonlinearity(layout.known, ())
    for name, block in layout.blocks:
        if block.choices:
            depth = replace(depth, blocks=(*depth.blocks, block))
            blocks.append((name, block.copied(WeightCopies(tuple(thresholds), depth))))
        else:
            blocks.append((name, block))
    return replace(layout, blocks=tuple(blocks))


def can_be_copied(layout: Layout) -> bool:
    """Whether all of its kinds of searched block tell how deep they are, and say themselves that they can have copies.

    That a kind inherits it says nothing: its module may be built by something that knows of no copies.
    """
    kinds = {type(block) for _, block in layout.blocks if block.choices}
    return all(kind.deepest is not Block.deepest and "copied" in vars(kind) for kind in kinds)


def deepest(layout: Layout, allowed: Mapping[str, Sequence[str]]) -> int:
    """The most convolutions one after the other, over all blocks, that an architecture of these candidates has."""
    return Nonlinearity(layout.known, tuple(block for _, block in layout.blocks if block.choices)).most(allowed)
