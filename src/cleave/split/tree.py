"""The tree of regions that splitting grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from cleave.space import Region

Path = tuple[int, ...]
"""Where a node hangs: the number of the group taken at each split on the way from the root, ()."""


def label(path: Path) -> str:
    """A path as people and files see it: "root", "0", "0.1"."""
    return ".".join(map(str, path)) or "root"


@dataclass(frozen=True)
class Score:
    """What a criterion found on one choice: similarities [candidates][candidates], the best groups, their cut."""

    candidates: tuple[str, ...]
    similarities: list[list[float]]
    groups: tuple[tuple[str, ...], ...]
    cut: float
    mean_link: float


@dataclass(frozen=True)
class Split:
    """A node's choice divided into groups; the scores of all choices where they were measured."""

    choice: str
    candidates: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    scores: Mapping[str, Score] = field(default_factory=dict)


@dataclass
class Node:
    """A region of the tree. It is finished once it is split or, a leaf, once it has a result.

    A region without a valid architecture is `empty`: there is nothing to train or find in it.
    """

    path: Path
    region: Region
    empty: bool = False
    split: Split | None = None
    result: dict[str, Any] | None = None

    @property
    def label(self) -> str:
        return label(self.path)

    @property
    def finished(self) -> bool:
        return self.empty or self.split is not None or self.result is not None


class Tree:
    """Nodes by path, in the order in which they are merged: level by level."""

    def __init__(self, root: Region) -> None:
        self.nodes: dict[Path, Node] = {(): Node((), root)}
        self._behind = 0
        """How many of the first nodes are known to be finished; none becomes unfinished again."""

    def grow(self, node: Node, split: Split, holds_valid: Callable[[Region], bool]) -> None:
        """Divides a node; its children are the groups' regions, disjoint and covering."""
        assert not node.finished
        node.split = split
        for number, region in enumerate(node.region.split(split.choice, split.groups)):
            path = (*node.path, number)
            self.nodes[path] = Node(path, region, empty=not holds_valid(region))

    @property
    def leaves(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.split is None]

    def next_open(self) -> Node | None:
        """The first node that is not finished, or None."""
        for node in islice(self.nodes.values(), self._behind, None):
            if not node.finished:
                return node
            self._behind += 1
        return None

    def parent(self, node: Node) -> Node | None:
        return self.nodes[node.path[:-1]] if node.path else None

    def unsplit(self, node: Node) -> list[str]:
        """The choices on which no ancestor was split."""
        above = [self.nodes[node.path[:depth]].split for depth in range(len(node.path))]
        taken = {split.choice for split in above if split is not None}
        return [choice for choice in node.region.allowed if choice not in taken]
