"""What a hook is: it has a say in the weight steps of a node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor

from cleave.method import METHODS
from cleave.registry import Registry
from cleave.settings import Recipe
from cleave.space import Arch, Region, Space

if TYPE_CHECKING:
    from cleave.search.trainer import NodeTrainer

Gradients = Mapping[str, Tensor]
"""Of the weights that a network ran, by name."""


@dataclass(frozen=True)
class WeightStep:
    """The weight step at hand, counted from 0 in its node. `archs`: its networks, in their order.

    `taught`: whether the first of them, the largest, teaches the others.
    """

    number: int
    archs: Sequence[Arch]
    taught: bool = False


class Hook:
    """One for each node that is trained as a part of a search, not for architectures that are trained alone.

    What it learns is in `state`. `node` is the trainer: its network, method, momentum, schedule and random numbers.
    """

    meaningless: Collection[str] = ()
    """The keys of `method` that say nothing beside it."""

    def __init__(self, node: NodeTrainer) -> None:
        self.node = node

    @classmethod
    def refuses(cls, recipe: Recipe, space: Space) -> str | None:
        """What it needs that a resolved recipe or its space has not, for people; None where it works."""
        if not METHODS[recipe.method.name].single_path:
            return f"needs a method that trains single architectures, and method.name={recipe.method.name} does not"
        if METHODS[recipe.method.name].alone:
            return f"is for shared weights, and method.name={recipe.method.name} shares none"
        return None

    @classmethod
    def copies(cls, networks: int, candidates: int) -> int:
        """How often it holds what is as large as all weights; of `networks` in a step, and `candidates` at most."""
        return 0

    def rate(self, step: WeightStep, rate: float) -> float:
        """The learning rate of a step that would else have this one."""
        return rate

    def gradients(self, step: WeightStep, each: Sequence[Gradients]) -> Sequence[Gradients]:
        """What is added up to the gradient of a step; `each`: those of its networks, which are not to be changed."""
        return each

    def before(self, step: WeightStep) -> None:
        """In front of the optimiser's step."""

    def after(self, step: WeightStep) -> None:
        """Behind it."""

    def state(self) -> dict[str, Any]:
        """All that it learns, as a checkpoint can hold it: tensors, texts and numbers in dictionaries and lists."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes back to what was saved of this very node."""

    def inherit(self, parent: Mapping[str, Any], parent_region: Region) -> None:
        """Takes over the state of a parent whose weights and momentum the node goes on with."""


HOOKS: Registry[type[Hook]] = Registry("search.hooks")

HookClass = TypeVar("HookClass", bound=type[Hook])


def hook(name: str) -> Callable[[HookClass], HookClass]:
    """Registers a hook under the name by which `search.hooks` asks for it."""
    return HOOKS.named(name)
