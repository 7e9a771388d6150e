"""Architectures that compute the same: they differ only on edges that lead nowhere, or come from nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cleave.space import Arch, Cell, Layer, Layout, Link
from cleave.space.layout import Block


def same_outputs(layout: Layout, archs: Sequence[Arch]) -> list[int]:
    """For each architecture the position of the first one whose network gives the same outputs under shared weights.

    Candidates of a cell that has a `none` are taken to make zeros of zeros, as those without bias and affine
    normalisation do.
    """
    first: dict[tuple[str | None, ...], int] = {}
    return [first.setdefault(essence(layout, arch), position) for position, arch in enumerate(archs)]


def essence(layout: Layout, arch: Arch) -> tuple[str | None, ...]:
    """What is chosen where it matters, and None where anything would do."""
    live = {choice for _, block in layout.blocks for choice in live_choices(block, arch)}
    return tuple(candidate if choice in live else None for choice, candidate in arch.items())


def live_choices(block: Block, arch: Arch) -> Iterable[str]:
    """The choices that the block's output depends on."""
    if isinstance(block, Cell):
        return (link.choice for link in live_links(block, arch))
    return (block.choice,) if isinstance(block, Layer) else ()


def live_links(cell: Cell, arch: Arch) -> list[Link]:
    """The links on a way from an input to an output that has no `none` on it."""
    links = [link for link in cell.links if arch[link.choice] != "none"]
    reached, needed = set(range(cell.inputs)), set(cell.outputs)
    for link in sorted(links, key=lambda link: link.source):
        reached |= {link.target} if link.source in reached else set()
    for link in sorted(links, key=lambda link: -link.target):
        needed |= {link.source} if link.target in needed else set()
    return [link for link in links if link.source in reached and link.target in needed]
