"""What a search knows so far, as it goes into a checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter

from cleave.errors import UserError
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
    """All but the weights at hand.

    `cost` is the search's own work, `control` that of measuring it: the panels and the architectures trained beside.
    `similarities` (by choice), `accuracies` (by architecture, percent) and `followed` (of the panel, per epoch) are
    what was already found out about the node at hand, or after the last one by the control.
    `kept`: the identity of each node's saved weights, by label.
    """

    tree: Tree
    cost: Cost = field(default_factory=Cost)
    control: Cost = field(default_factory=Cost)
    similarities: dict[str, list[list[float]]] = field(default_factory=dict)
    accuracies: dict[str, float] = field(default_factory=dict)
    followed: list[list[float]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def new(region: Region) -> State:
        return State(Tree(region))

    @property
    def spent(self) -> Cost:
        """What work is counted as: the search's until its tree is finished."""
        return self.cost if self.tree.next_open() is not None else self.control

    @property
    def chosen(self) -> Node:
        """The leaf whose architecture does best on held-out images; the first wins ties."""
        found = [(leaf, leaf.result["valid_accuracy"]) for leaf in self.tree.leaves if leaf.result is not None]
        return max(found, key=lambda pair: pair[1])[0]

    def forget(self) -> None:
        """Drops what belongs to a node that is finished."""
        self.similarities, self.accuracies, self.followed = {}, {}, []

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("similarities", "accuracies", "followed", "kept")}
        return {"tree": tree_to_json(self.tree), "cost": asdict(self.cost), "control": asdict(self.control), **plain}

    @staticmethod
    def from_json(saved: dict[str, Any]) -> State:
        """UserError where another version of cleave wrote it."""
        if saved.keys() != {field.name for field in fields(State)}:
            raise UserError("the run was begun by another version of cleave; start it again with this one")
        costs = {name: Cost(**saved[name]) for name in ("cost", "control")}
        return State(**{**saved, "tree": tree_from_json(saved["tree"]), **costs})


def tree_to_json(tree: Tree) -> list[dict[str, Any]]:
    """Every node with its region, its split and its result, in the order of visits."""
    nodes: list[dict[str, Any]] = NODES.dump_python(list(tree.nodes.values()), mode="json")
    return nodes


def tree_from_json(saved: list[dict[str, Any]]) -> Tree:
    nodes = NODES.validate_python(saved)
    tree = Tree(nodes[0].region)
    tree.nodes = {node.path: node for node in nodes}
    return tree
