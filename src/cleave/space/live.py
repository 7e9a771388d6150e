"""Where in its layout an architecture's choices matter: not on edges that come from nowhere or lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable

from cleave.space.choice import Arch
from cleave.space.layout import Block, Cell, Layer, Layout, Link


def live_choices(layout: Layout, arch: Arch) -> set[str]:
    """The choices that the network's outputs depend on.

    Candidates of a cell that has a `none` are taken to make zeros of zeros, as those without bias and affine
    normalisation do.
    """
    return {choice for _, block in layout.blocks for choice in live_in(block, arch)}


def live_in(block: Block, arch: Arch) -> Iterable[str]:
    """The choices that a block's output depends on."""
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
