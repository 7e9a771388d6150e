"""The independent parts of a search: what each is told, and what it finds out, as plain data.

A part is a pure function of the problem, of what it is told here, and of its parent's weights in the run folder. So
it does not matter where or when it is done, and with which others at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from cleave.run.events import START, Mark
from cleave.run.reading import typed
from cleave.search.accuracy import Accuracy, Hits
from cleave.search.learner import Alone
from cleave.search.state import Cost, check_fields
from cleave.space import Region
from cleave.split import Node, Split, Tree


@dataclass(frozen=True)
class Parent:
    """A finished node whose weights others may start from; `kept` is their identity, None where there are none."""

    label: str
    region: Region
    kept: str | None


@dataclass(frozen=True)
class Visit:
    """A node to be trained, and then split on one of its `unsplit` choices or searched."""

    node: Node
    parent: Parent | None
    unsplit: Sequence[str]

    @property
    def label(self) -> str:
        return self.node.label


@dataclass(frozen=True)
class Trial:
    """An architecture of the control, to be trained alone for a number of epochs and evaluated."""

    place: Alone
    epochs: int

    @property
    def label(self) -> str:
        return self.place.label


Part: TypeAlias = Visit | Trial


@dataclass
class Findings:
    """What is known of a part; all of it once it is `finished`.

    `cost` is the part's own work, `control` that of following its panel. `similarities` (by choice; `probes`: from
    how many mini-batches), `hits` (by architecture, on held-out images), `accuracies` (by architecture trained
    alone) and `followed` (accuracies of the panel in percent, per epoch) need not be measured again. `kept`: the
    identities of saved weights, by label. `split` or `result` is what became of a node. `events`: how far its file of
    events goes.
    """

    cost: Cost = field(default_factory=Cost)
    control: Cost = field(default_factory=Cost)
    similarities: dict[str, list[list[float]]] = field(default_factory=dict)
    probes: dict[str, int] = field(default_factory=dict)
    hits: dict[str, Hits] = field(default_factory=dict)
    accuracies: dict[str, Accuracy] = field(default_factory=dict)
    followed: list[list[float]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    split: Split | None = None
    result: dict[str, Any] | None = None
    finished: bool = False
    events: Mark = START

    def to_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = FINDINGS.dump_python(self, mode="json")
        return plain

    @staticmethod
    def from_json(saved: dict[str, Any], file: Path) -> Findings:
        """What a file holds; UserError where another version of cleave wrote it, or it was altered."""
        check_fields(saved, Findings, file)
        return typed(file, FINDINGS, saved)


FINDINGS = TypeAdapter(Findings)


def visit_of(node: Node, tree: Tree, kept: dict[str, str]) -> Visit:
    """The visit of a node whose parent is finished."""
    above = tree.parent(node)
    parent = None if above is None else Parent(above.label, above.region, kept.get(above.label))
    return Visit(node, parent, tree.unsplit(node))
