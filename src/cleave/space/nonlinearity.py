"""How many convolutions are on the deepest way through an architecture: its number of nonlinear functions (Efficient
Few-Shot Neural Architecture Search, AAAI 2025, arXiv 2412.14678)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cleave.ops import Operations
from cleave.space.choice import Arch
from cleave.space.layout import Block, Layout


@dataclass(frozen=True)
class Nonlinearity:
    """Counts them, of the architectures of a layout.

    A way leads from a block's input to its output over no operation that makes zeros. An operation counts once, however
    many convolutions it has, and not at all if it has none. Numbers of blocks are added up.
    """

    operations: Operations
    blocks: tuple[Block, ...]
    known: dict[tuple[str, int, int, int], bool] = field(default_factory=dict)

    @staticmethod
    def of(layout: Layout) -> Nonlinearity | None:
        """That of a layout; None where a kind of block does not tell (`Block.deepest`).

        Blocks with the same choices count once, so that it does not depend on how often a cell is repeated.
        """
        blocks = {block.choices: block for _, block in reversed(layout.blocks) if block.choices}
        if any(type(block).deepest is Block.deepest for block in blocks.values()):
            return None
        return Nonlinearity(layout.known, tuple(blocks.values()))

    def __call__(self, arch: Arch) -> int:
        return sum(block.deepest(arch, self.counts) for block in self.blocks)

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """Those that it depends on."""
        return tuple(dict.fromkeys(choice for block in self.blocks for choice in block.choices))

    def most(self, allowed: Mapping[str, Sequence[str]]) -> int:
        """The largest number of an architecture of these candidates, by choice."""

        def best(choice: str, *shape: int) -> int | None:
            counts = (self.counts(candidate, *shape) for candidate in allowed[choice])
            return max((count for count in counts if count is not None), default=None)

        every = {choice: choice for choice in allowed}  # what counts is then the best of its candidates
        return sum(block.deepest(every, best) for block in self.blocks)

    def counts(self, name: str, channels_in: int, channels_out: int, stride: int) -> int | None:
        """1 for an operation with a convolution at this shape, 0 for one without, None for one that makes zeros."""
        if self.operations.is_zero(name):
            return None
        key = (name, channels_in, channels_out, stride)
        if key not in self.known:
            self.known[key] = self.operations.convolves(*key)
        return int(self.known[key])
