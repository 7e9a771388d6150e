"""The independent tasks of a search: what each is told, and what it finds out, as plain data.

A task is a pure function of the problem, of what it is told here, and of its parent's weights in the run folder. So
it does not matter where or when it is done, and with which others at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import TypeAdapter

from cleave.run.alarm import Alarm
from cleave.run.events import START, Mark
from cleave.run.reading import typed
from cleave.search.problem import Setup
from cleave.search.scope import Standalone
from cleave.search.state import SearchCost, check_fields
from cleave.space import Region
from cleave.split import Node, Split, Tree
from cleave.stats.accuracy import Accuracy, Hits

if TYPE_CHECKING:
    from cleave.search.perform import Performance


class Task(Protocol):
    """What a search has done somewhere, by somebody; its label names it to people, and its folder."""

    @property
    def label(self) -> str: ...

    def do(self, performance: Performance) -> None:
        """Does it, or what is left of it, in its folder."""


@dataclass(frozen=True)
class Parent:
    """A finished node whose weights others may start from; `kept` is their identity, None where there are none."""

    label: str
    region: Region
    kept: str | None


@dataclass(frozen=True)
class NodeTask:
    """A node to be trained, and then split on one of its `unsplit` choices or searched."""

    node: Node
    parent: Parent | None
    unsplit: Sequence[str]

    @property
    def label(self) -> str:
        return self.node.label

    def do(self, performance: Performance) -> None:
        performance.node(self)


@dataclass(frozen=True)
class StandaloneTask:
    """An architecture to be trained alone for a number of epochs and evaluated; `setup`: the search's unless given."""

    scope: Standalone
    epochs: int
    setup: Setup | None = None

    @property
    def label(self) -> str:
        return self.scope.label

    def do(self, performance: Performance) -> None:
        performance.standalone(self)


@dataclass(frozen=True)
class Kept:
    """Saved weights: their label, and their identity."""

    label: str
    identity: str


@dataclass(frozen=True)
class RetrainTask:
    """A network to be retrained up to the end of some epochs, on a schedule of `total` ones, and evaluated.

    It goes on from `before` where something is there; `keeps`: whether something will go on from it.
    """

    label: str
    scope: Standalone
    epochs: int
    total: int
    before: Kept | None = None
    keeps: bool = False

    def do(self, performance: Performance) -> None:
        performance.retrain(self)


@dataclass
class TaskResult:
    """What is known of a task; all of it once it is `finished`.

    `cost` is the task's own work, `control` that of following its panel. `similarities` (by choice; `probes`: from
    how many mini-batches), `hits` (by architecture, on held-out images), `accuracies` (by architecture trained
    alone) and `followed` (accuracies of the panel in percent, per epoch) need not be measured again. `kept`: the
    identities of saved weights, by label. `split` or `result` is what became of a node. `raised`: what guards said,
    `watched`: what they know of the training at hand. `events`: how far its file of events goes.
    """

    cost: SearchCost = field(default_factory=SearchCost)
    control: SearchCost = field(default_factory=SearchCost)
    similarities: dict[str, list[list[float]]] = field(default_factory=dict)
    probes: dict[str, int] = field(default_factory=dict)
    hits: dict[str, Hits] = field(default_factory=dict)
    accuracies: dict[str, Accuracy] = field(default_factory=dict)
    followed: list[list[float]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    split: Split | None = None
    result: dict[str, Any] | None = None
    raised: list[Alarm] = field(default_factory=list)
    watched: dict[str, Any] = field(default_factory=dict)
    finished: bool = False
    events: Mark = START

    def to_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = TASK_RESULT.dump_python(self, mode="json")
        return plain

    @staticmethod
    def from_json(saved: dict[str, Any], file: Path) -> TaskResult:
        """What a file holds; UserError where another version of cleave wrote it, or it was altered."""
        check_fields(saved, TaskResult, file)
        return typed(file, TASK_RESULT, saved)


TASK_RESULT = TypeAdapter(TaskResult)


def node_task(node: Node, tree: Tree, kept: dict[str, str], splittable: Collection[str]) -> NodeTask:
    """The task of a node whose parent is finished."""
    above = tree.parent(node)
    parent = None if above is None else Parent(above.label, above.region, kept.get(above.label))
    return NodeTask(node, parent, [choice for choice in tree.unsplit(node) if choice in splittable])
