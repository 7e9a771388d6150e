"""A guard watches runs for one kind of fault. What it is told is for looking at: it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from cleave.data.images import Images
from cleave.registry import Registry
from cleave.space import Arch, Layout


@dataclass(frozen=True)
class RunOpened:
    """What is known before the first step.

    report: of the images (`cleave.data.report`). held_out: the images by which architectures are judged. validation:
    which of them, int64 [batch size], the mini-batch of a step holds by which architecture weights learn; None where
    none do. ranked_by, asked: the statistics of normalisations (`search.statistics`) by which architectures are ranked,
    and those that the method or the space asks for; None where nothing is ranked.
    """

    report: Mapping[str, Any] = field(default_factory=dict)
    held_out: Images | None = None
    validation: Callable[[int], Tensor] | None = None
    ranked_by: str | None = None
    asked: str | None = None


@dataclass(frozen=True)
class TrainingBegun:
    """What is known of a network before its first step.

    section: where a recipe says how it is trained. weights: those of candidates, by choice, that are going to learn.
    """

    classes: int
    section: str
    weights: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeSplit:
    """What is known of a node that was split.

    similarities: of each two candidates of the choice, as they were compared; empty where they were not.
    """

    splitter: str
    choice: str
    similarities: Sequence[Sequence[float]]
    groups: int


@dataclass(frozen=True)
class LeafEnded:
    """What is known of a leaf that has its architecture.

    weights: of candidates, by choice. steps: those in which these learned.
    """

    layout: Layout
    arch: Arch
    weights: Mapping[str, Tensor]
    steps: int


class Guard:
    """One kind of fault. Of what it is told it overrides what it needs, and answers with a sentence or None.

    A sentence names the cause and what to do about it. All that a guard knows of a training between steps is in `kept`,
    as plain JSON, so that a resumed run goes on with it; empty where nobody watched its beginning.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def at_opening(self, run: RunOpened) -> str | None:
        """Before the first step of a run."""
        return None

    def at_beginning(self, training: TrainingBegun) -> None:
        """Before the first step of a network, and not where a training goes on."""

    def at_step(self, step: int, loss: float) -> str | None:
        """After a step, with its training loss: each on the CPU, else each of `cleave.guards.watch.EVERY`."""
        return None

    def at_split(self, split: NodeSplit) -> str | None:
        """When a node was split."""
        return None

    def at_end(self, leaf: LeafEnded) -> str | None:
        """When a leaf has its architecture."""
        return None


GUARDS: Registry[type[Guard]] = Registry("guards.off")

GuardClass = TypeVar("GuardClass", bound=type[Guard])


def guard(name: str) -> Callable[[GuardClass], GuardClass]:
    """Registers a guard under the name by which recipes turn it off."""

    def register(kind: GuardClass) -> GuardClass:
        GUARDS.register(name, kind)
        kind.name = name
        return kind

    return register
