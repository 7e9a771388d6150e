"""What a base method is: how it runs a batch, how it learns an architecture, which one it derives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor, nn

from cleave.errors import UserError
from cleave.method.phase import Lesson, Phase
from cleave.method.validation import ValidationLoss
from cleave.net import Gate, Gates, Network
from cleave.net.cost import Costs
from cleave.registry import Registry
from cleave.settings import MethodSettings, StatisticsName
from cleave.space import Arch, Region, Space


class Evaluate(Protocol):
    """The accuracy of architectures under a leaf's weights, on `batches` batches of held-out images."""

    @property
    def batches(self) -> int: ...

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        """On all held-out images, or on the first `batches` batches of them; what is known is not computed again."""

    def many(self, archs: Sequence[Arch], batches: int | None = None) -> list[float]:
        """The same of each of some architectures, in their order.

        To the last bit what each gets alone, but cheaper: what those have in common that begin alike is computed once.
        """


@dataclass(frozen=True)
class StepContext:
    """When a method is asked: epoch `epoch` of the `epochs` of its search (0 of 0 before it), with which numbers."""

    epoch: int
    epochs: int
    generator: torch.Generator
    phase: Phase | None = None
    """Of a method that has such."""


class Method(nn.Module, ABC):
    """A base method for one node of the tree; all it learns is in its state_dict.

    A new method is one class: what a weight step runs (`gates`), an architecture step if it has one (`learn`),
    and how it settles on an architecture (`derive`).
    """

    settings_class: type[MethodSettings] = MethodSettings
    """What a recipe may say about it; set by `method`."""

    single_path = False
    """Whether every weight step runs one candidate of each choice, with a weight of 1."""

    learns = False
    """Whether there are architecture steps."""

    alone = False
    """Whether a leaf's architectures are trained one by one, each from new weights, instead of together."""

    statistics: ClassVar[StatisticsName | None] = None
    """By which its architectures are judged where a recipe does not say (`search.statistics`); None: as the space
    asks."""

    elastic = False
    """Whether it is for spaces only whose networks are parts of a largest one (`Space.elastic`)."""

    def __init__(self, settings: Any, space: Space, region: Region, generator: torch.Generator) -> None:  # noqa: ANN401
        """`generator` is for initial values only."""
        super().__init__()
        self.settings, self.space, self.region = settings, space, region
        self.count_costs: Callable[[], Costs] | None = None
        self.limit_penalty = 0.0
        """What the held-out loss gains for each share by which expected costs are above a space's limits."""

    @cached_property
    def costs(self) -> Costs:
        """What the space's architectures cost, trained alone at the size of this run; counted when first asked for."""
        assert self.count_costs is not None, "a search says how its costs are counted"
        return self.count_costs()

    @classmethod
    def refuses(cls, settings: Any, space: Space) -> str | None:  # noqa: ANN401
        """What the method needs of a space that this one does not have, for people; None where it works on it."""
        return None

    @classmethod
    def figures(cls, settings: Any) -> Collection[str]:  # noqa: ANN401
        """The figures of `cleave.net.cost.Cost` that the method goes by."""
        return ()

    @classmethod
    def meaningless(cls, settings: Any) -> Collection[str]:  # noqa: ANN401
        """The keys that have no meaning beside the others."""
        return ()

    @classmethod
    def resolved(cls, settings: Any, epochs: int) -> Any:  # noqa: ANN401
        """The settings with nothing left open, for leaves of `epochs` epochs; UserError for what contradicts."""
        return settings

    @staticmethod
    def epochs_each(settings: Any) -> int:  # noqa: ANN401
        """For how many epochs each architecture is trained; of a method whose architectures are trained alone."""
        raise AssertionError("architectures are not trained alone")

    @staticmethod
    def evaluated(settings: Any, batches: int) -> int:  # noqa: ANN401
        """How many batches `derive` evaluates at most, where the held-out images are so many.

        The architecture that it settles on has to be evaluated on all of them anyway.
        """
        return batches

    @staticmethod
    def questions(settings: Any, batches: int) -> int:  # noqa: ANN401
        """How often `derive` asks for an architecture at most, each time on more batches: so often are statistics
        measured where they are measured anew. Where it asks for none, the one that it settles on is asked for."""
        return 1

    @classmethod
    def architecture_steps(cls, settings: Any, epochs: int, steps: int) -> int:  # noqa: ANN401
        """How many architecture steps a search of `epochs` epochs has, with `steps` weight steps in each."""
        return epochs * steps if cls.learns else 0

    def learns_at(self, epoch: int, step: int) -> bool:
        """Whether there is an architecture step in front of a weight step of an epoch; both count from 0."""
        return self.learns

    @staticmethod
    def passes_each(settings: Any) -> int:  # noqa: ANN401
        """Forward and backward passes of a mini-batch that an architecture step takes."""
        return 1

    @staticmethod
    def paths_each(settings: Any) -> int:  # noqa: ANN401
        """How many networks a weight step trains."""
        return 1

    @classmethod
    def networks_each(cls, settings: Any, space: Space) -> int:  # noqa: ANN401
        """The same in a space, at most."""
        return cls.paths_each(settings)

    @property
    def summed(self) -> bool:
        """Whether a weight step goes down the sum of the losses of its networks, not their mean."""
        return False

    @property
    def watches(self) -> bool:
        """Whether it is told the gradients of each network of a weight step (`watch`)."""
        return False

    def watch(self, network: Network, gates: Gates, gradients: Mapping[nn.Parameter, Tensor]) -> None:
        """The gradients, before they are clipped, that a network of a weight step gave to the weights it runs."""

    own_rates = False
    """Whether the learning rates of nodes are those of `phases`."""

    restarts_from_teacher = False
    """Whether leaves that start anew do so from the teacher's weights, where a node above has kept one."""

    def phases(self, epochs: int, searching: bool, taught: bool) -> Sequence[Phase]:
        """The phases of a node of so many epochs, which has architecture steps or not, and has a teacher or not; none:
        learning rates are those of the recipe."""
        return ()

    def within(self, phase: Phase) -> Region:
        """What of the region the networks of a phase are of."""
        return self.region

    def lessons(self, context: StepContext) -> Sequence[Lesson]:
        """What one weight step trains, together, and by what each of it learns: here all of it by the labels."""
        return [Lesson(gates) for gates in self.paths(context)]

    def paths(self, context: StepContext) -> Sequence[Gates]:
        """What one weight step trains, together: the gates of each forward pass."""
        return [self.gates(context)]

    @abstractmethod
    def gates(self, context: StepContext) -> Gates:
        """What one forward pass of a weight step runs, free of gradients; only allowed candidates are active."""

    def probe(self, context: StepContext) -> Gates:
        """What runs beside candidates whose gradients are compared: as in a weight step."""
        return self.gates(context)

    @abstractmethod
    def derive(self, evaluate: Evaluate, generator: torch.Generator) -> Arch:
        """The architecture that the method settles on in its region."""

    def learn(self, validation: ValidationLoss, context: StepContext) -> None:
        """One architecture step."""
        raise AssertionError(f"{type(self).__name__} has no architecture step")

    def inherit(self, parent: Mapping[str, Tensor], parent_region: Region) -> None:
        """Takes over the parent's learned state (its state_dict) where the region still holds it."""

    def architecture_weights(self) -> dict[str, Tensor]:
        """Per choice the weights of the allowed candidates, where the method has such."""
        return {}


METHODS: Registry[type[Method]] = Registry("method.name")

MethodClass = TypeVar("MethodClass", bound=type[Method])


def method(settings: type[MethodSettings], *aliases: str) -> Callable[[MethodClass], MethodClass]:
    """Registers a method under the `name` of its settings, a subclass of `MethodSettings`.

    `class MySettings(MethodSettings): name: Literal["mine"] = "mine"` before `@method(MySettings) class Mine(Method)`.
    """

    def register(kind: MethodClass) -> MethodClass:
        name = named_by(settings, kind)
        METHODS.register(name, kind, *aliases)
        kind.settings_class = settings
        return kind

    return register


def named_by(settings: type[MethodSettings], kind: type) -> str:
    """The name that settings give a method; UserError where they give none."""
    field = settings.model_fields.get("name")
    if field is None or not isinstance(field.default, str):
        example = 'name: Literal["mine"] = "mine"'
        raise UserError(f"method {kind.__name__}: its settings, {settings.__name__}, have no name, as in {example}")
    return field.default


def gates_from(weights: Mapping[str, Tensor], region: Region) -> Gates:
    """All allowed candidates run, each with its weight; a choice with one candidate needs none."""
    return {
        choice: Gate(allowed, weights[choice]) if len(allowed) > 1 else Gate(allowed)
        for choice, allowed in region.allowed.items()
    }
