"""Every way through a cell, written out."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cleave.space import Arch, Cell


def ways(cell: Cell, node: int) -> Iterator[tuple[str, ...]]:
    """The choices on each way from an input of the cell to a node."""
    if node < cell.inputs:
        yield ()
    for link in cell.links:
        if link.target == node:
            yield from ((*before, link.choice) for before in ways(cell, link.source))


def deepest(cell: Cell, arch: Arch, zeros: Collection[str], convolutions: Collection[str]) -> int:
    """The most convolutions on a way to an output all of whose operations are chosen and none of which makes zeros."""
    counts = [0]
    for output in cell.outputs:
        for way in ways(cell, output):
            names = [arch.get(choice) for choice in way]
            if not any(name is None or name in zeros for name in names):
                counts.append(sum(name in convolutions for name in names))
    return max(counts)
