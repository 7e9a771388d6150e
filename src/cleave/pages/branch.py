"""The way from the root of a tree to a leaf, in what tree.json holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cleave.split import Path, label

Tree = Sequence[Mapping[str, Any]]
"""The content of tree.json."""


def paths_of(tree: Tree) -> dict[str, Path]:
    """Where each node hangs, by its label."""
    return {label(tuple(node["path"])): tuple(node["path"]) for node in tree}


def is_above(path: Path, leaf: Path, itself: bool = True) -> bool:
    """Whether a node is above another one, or it (`itself`)."""
    return leaf[: len(path)] == path and (itself or path != leaf)
