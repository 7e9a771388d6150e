"""What a search knows so far, as it goes into its checkpoints."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from cleave.errors import UserError
from cleave.run.alarm import Alarm
from cleave.run.reading import Damaged, typed
from cleave.space import Region
from cleave.split import Node, Split, Tree
from cleave.split.tree import Path as At
from cleave.split.tree import label
from cleave.stats.accuracy import Accuracy

NODES = TypeAdapter(list[Node])


@dataclass
class SavedNode:
    """A node without its region, which follows from the splits above it; but for the root, and in checkpoints of
    earlier versions. Thousands of regions would be most of a checkpoint."""

    path: At
    empty: bool = False
    split: Split | None = None
    result: dict[str, Any] | None = None
    region: Region | None = None


Nodes = Annotated[list[SavedNode], Field(min_length=1)]
REGIONS = {"__all__": {"region"}}
LATER = {"raised", "watched"}
"""Fields that earlier versions did not save."""


@dataclass
class SearchCost:
    """The work done, counted: what a claim about a method has to be weighed against."""

    weight_steps: int = 0  # of one network; a step that trains several counts for each
    arch_steps: int = 0
    # Of one mini-batch under one candidate: forward and backward, or forward only where a splitter needs no gradients.
    split_passes: int = 0
    eval_images: int = 0  # each counts for each architecture that is judged on it
    calibration_images: int = 0  # training images on which statistics are measured before, counted in the same way
    retrain_steps: int = 0  # of networks that are retrained, of a size and batch size of their own

    def __add__(self, other: SearchCost) -> SearchCost:
        return SearchCost(*map(operator.add, astuple(self), astuple(other)))

    def __sub__(self, other: SearchCost) -> SearchCost:
        return SearchCost(*map(operator.sub, astuple(self), astuple(other)))


@dataclass
class State:
    """What the tasks of a search found that are merged.

    `cost` is the search's own work, `control` that of measuring it: the panels and the architectures trained beside.
    `retrained`: by architecture, its accuracies at the ends of the rungs of halving that it reached. `accuracies`: of
    the control's architectures. `kept`: the identity of each node's and retrained network's saved weights, by label.
    `raised`: what guards said.
    """

    tree: Tree
    cost: SearchCost = field(default_factory=SearchCost)
    control: SearchCost = field(default_factory=SearchCost)
    retrained: dict[str, list[Accuracy]] = field(default_factory=dict)
    accuracies: dict[str, Accuracy] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    raised: list[Alarm] = field(default_factory=list)

    @property
    def searched(self) -> list[Node]:
        """The leaves that have an architecture."""
        return [leaf for leaf in self.tree.leaves if leaf.result is not None]

    def retrained_of(self, leaf: Node) -> list[Accuracy]:
        """The accuracies of a leaf's architecture, retrained."""
        assert leaf.result is not None
        return self.retrained.get(leaf.result["arch"], [])

    def to_json(self) -> dict[str, Any]:
        plain = {name: asdict(getattr(self, name)) for name in ("cost", "control")}
        retrained = {arch: [asdict(each) for each in rungs] for arch, rungs in self.retrained.items()}
        accuracies = {arch: asdict(each) for arch, each in self.accuracies.items()}
        raised = [asdict(each) for each in self.raised]
        beside = {"retrained": retrained, "accuracies": accuracies, "kept": self.kept, "raised": raised}
        return {"tree": saved_tree(self.tree), **plain, **beside}

    @staticmethod
    def from_json(saved: dict[str, Any], file: Path) -> State:
        """What a file holds; UserError where another version of cleave wrote it, or it was altered."""
        check_fields(saved, State, file)
        plain = typed(file, PLAIN, saved)
        return State(
            grown(plain.tree, file),
            plain.cost,
            plain.control,
            plain.retrained,
            plain.accuracies,
            plain.kept,
            plain.raised,
        )


@dataclass
class PlainState:
    """The same as it is saved."""

    tree: Nodes
    cost: SearchCost
    control: SearchCost
    retrained: dict[str, list[Accuracy]]
    accuracies: dict[str, Accuracy]
    kept: dict[str, str]
    raised: list[Alarm] = field(default_factory=list)


PLAIN = TypeAdapter(PlainState)


def check_fields(saved: dict[str, Any], kind: type[Any], file: Path) -> None:
    """UserError unless what was saved has the fields of a dataclass as this version of cleave has it."""
    if (saved.keys() | LATER) != ({each.name for each in fields(kind)} | LATER):
        raise UserError(f"{file}: was begun by another version of cleave, or altered; start it again with this one")


def tree_to_json(tree: Tree) -> list[dict[str, Any]]:
    """Every node with its region, its split and its result, in the order of merging."""
    nodes: list[dict[str, Any]] = NODES.dump_python(list(tree.nodes.values()), mode="json")
    return nodes


def saved_tree(tree: Tree) -> list[dict[str, Any]]:
    """The same without the regions that follow from others."""
    nodes: list[dict[str, Any]] = NODES.dump_python(list(tree.nodes.values()), mode="json", exclude=REGIONS)
    (root,) = NODES.dump_python([tree.nodes[()]], mode="json")
    return [root, *nodes[1:]]


def grown(saved: Sequence[SavedNode], file: Path) -> Tree:
    """The tree of these nodes, each behind its parent; Damaged where they make none."""
    nodes = dict[At, Node]()
    for each in saved:
        region = each.region or region_below(nodes.get(each.path[:-1]), each.path)
        if region is None:
            raise Damaged(f"{file}: tree: node {label(each.path)} is no part of the node above it; it was altered")
        nodes[each.path] = Node(each.path, region, each.empty, each.split, each.result)
    tree = Tree(next(iter(nodes.values())).region)
    tree.nodes = nodes
    return tree


def region_below(parent: Node | None, path: At) -> Region | None:
    """What a node's split left for a child; None where there is no such child."""
    if parent is None or parent.split is None or not path or not 0 <= path[-1] < len(parent.split.groups):
        return None
    choice, group = parent.split.choice, parent.split.groups[path[-1]]
    if not group or not set(group) <= set(parent.region.allowed.get(choice, ())):
        return None
    return parent.region.restrict(choice, group)
