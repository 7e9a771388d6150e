"""Collapse to skip connections, the known failure of DARTS: a cell that is mostly wires."""

from __future__ import annotations

from cleave.guards.guard import Guard, LeafEnded, guard
from cleave.space import Arch, Layout
from cleave.space.drawing import pictures

COLLAPSED = 0.5
"""The share of skip connections from which a cell is mostly wires (Zela et al., 2020, on where DARTS fails).

DARTS+ (Liang et al., 2019) stops a search at two of the eight edges of a normal cell, P-DARTS (Chen et al., 2019) keeps
two; but the normal cells that DARTS published have two and three, and are no failures.
"""


@guard("collapse")
class Collapse(Guard):
    """An architecture that is mostly skip connections."""

    def at_end(self, leaf: LeafEnded) -> str | None:
        if max(skip_share(leaf.layout, leaf.arch), most_skipping(leaf.layout, leaf.arch)) < COLLAPSED:
            return None
        return (
            "half of the edges of a cell or more are skip connections, a sign of collapse; search for fewer epochs, or "
            "with a higher method.weight_decay"
        )


def skip_share(layout: Layout, arch: Arch) -> float:
    """The share of an architecture's choices that are skip connections."""
    return sum(layout.known.is_identity(candidate) for candidate in arch.values()) / max(1, len(arch))


def most_skipping(layout: Layout, arch: Arch) -> float:
    """The highest share, over the kinds of cell, of kept edges that hand on what they get.

    A skip connection that halves the image does not: it has weights. Layers that follow each other count as one cell.
    """
    links = [picture.links for picture in pictures(layout, arch) if picture.links]
    skips = [[layout.known.is_identity(arch[link.choice]) and link.stride == 1 for link in each] for each in links]
    return max((sum(each) / len(each) for each in skips), default=0.0)
