"""What a search knows so far, as it goes into a checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from cleave.space import Region
from cleave.split import Node, Tree

NODES = TypeAdapter(list[Node])


@dataclass
class Cost:
    """The work done, counted: what a claim about a method has to be weighed against."""

    weight_steps: int = 0
    arch_steps: int = 0
    split_passes: int = 0  # forward and backward passes of one mini-batch under one candidate
    eval_images: int = 0


@dataclass
class State:
    """All but the node at hand's weights.

    `measured`: what was already found out about that node (similarities by choice, accuracies by architecture).
    `kept`: the identity of each finished node's saved weights, by label.
    """

    tree: Tree
    cost: Cost = field(default_factory=Cost)
    measured: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def new(region: Region) -> State:
        return State(Tree(region))

    def to_json(self) -> dict[str, Any]:
        return {
            "tree": tree_to_json(self.tree),
            "cost": asdict(self.cost),
            "measured": self.measured,
            "kept": self.kept,
        }

    @staticmethod
    def from_json(saved: dict[str, Any]) -> State:
        return State(tree_from_json(saved["tree"]), Cost(**saved["cost"]), saved["measured"], saved["kept"])


def tree_to_json(tree: Tree) -> list[dict[str, Any]]:
    """Every node with its region, its split and its result, in the order of visits."""
    nodes: list[dict[str, Any]] = NODES.dump_python(list(tree.nodes.values()), mode="json")
    return nodes


def tree_from_json(saved: list[dict[str, Any]]) -> Tree:
    nodes = NODES.validate_python(saved)
    tree = Tree(nodes[0].region)
    tree.nodes = {node.path: node for node in nodes}
    return tree
