"""A search space: named choices, their text form, and the layout of its networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from math import prod
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from cleave.errors import UserError, shown, unknown
from cleave.settings import NetworkSettings, SpaceSettings, StatisticsName
from cleave.space.choice import Arch, Choice, joined
from cleave.space.layout import Auxiliary, Layout
from cleave.space.nonlinearity import Nonlinearity
from cleave.space.region import Region
from cleave.space.strongest import strongest_first
from cleave.space.weighted import Drawer, Weighted, Weights, drawn_until

Picked = TypeVar("Picked")


class Space(ABC):
    """A list of named choices. A concrete space adds data and a layout, not loops."""

    name: str
    choices: tuple[Choice, ...]
    paper_size: Any
    """The published size, as `layout` takes it: a `NetworkSize`, or the settings of a space that has its own."""
    paper_image_size = 32
    """Pixels on a side of the images of the published networks."""
    paper_classes = 10
    settings_class: ClassVar[type[SpaceSettings]] = NetworkSettings
    """What a recipe may say about it."""
    tabulated = False
    """Whether there is a table of trained accuracies for its architectures."""
    elastic = False
    """Whether its networks are parts of a largest one, and candidates are written as sizes
    (`cleave.space.elastic.numbers`)."""
    pretrained: ClassVar[str | None] = None
    """The network of timm's of whose weights its supernets may be made, by timm's name (`cleave.pretrained`)."""
    statistics: ClassVar[StatisticsName] = "batch"
    """By which architectures are judged where neither a recipe (`search.statistics`) nor the method says."""

    @classmethod
    def from_settings(cls, settings: Any) -> Space:  # noqa: ANN401
        """The space that a recipe asks for. A space whose choices depend on its settings overrides this."""
        if getattr(settings, "ops", None) is not None:
            raise UserError(f"space.ops={shown(settings.ops)}: {cls.name} has no operations to choose from")
        return cls()

    def asked(self) -> Mapping[str, Any]:
        """What of a recipe makes a space such as this one, beside its name and size."""
        return {}

    @property
    def splittable(self) -> tuple[Choice, ...]:
        """The choices that a splitter may split: all, unless a space says otherwise."""
        return self.choices

    @property
    def usual_size(self) -> Any:  # noqa: ANN401
        """The size of a recipe that says none."""
        return self.settings_class(name=self.name).size

    @abstractmethod
    def layout(self, size: Any, image_channels: int) -> Layout:  # noqa: ANN401
        """The network of this space at this size (`SpaceSettings.size`), as data."""

    def smallest_side(self, size: Any) -> int:  # noqa: ANN401
        """Pixels on a side of the smallest images that the strides of this size's networks are for."""
        return 1

    def check_side(self, size: Any, side: int) -> None:  # noqa: ANN401
        """UserError where images of so many pixels on a side are smaller."""
        if side < (least := self.smallest_side(size)):
            other = ", or space.stem=cifar" if getattr(size, "stem", None) == "imagenet" else ""
            raise UserError(
                f"images of {side} pixels on a side: the strides of {self.name} make a pixel of {least}; "
                f"give data.image_size={least} or more{other}"
            )

    def auxiliary(self, size: Any) -> Auxiliary | None:  # noqa: ANN401
        """A second head of this size's networks for training from scratch, where `layout` has none; None: there is
        none."""
        return None

    @abstractmethod
    def parse(self, text: str) -> Arch:
        """The architecture that `text` writes down; UserError where it is malformed."""

    @abstractmethod
    def format(self, arch: Arch) -> str:
        """The space's own way of writing `arch`: the inverse of `parse`."""

    def draw(self, arch: Arch) -> str:
        """The architecture for the eye: here one line per choice."""
        return "\n".join(f"{choice.name}: {arch[choice.name]}" for choice in self.choices if choice.name in arch)

    def valid(self, arch: Arch) -> bool:
        """Whether `arch` computes something from its input (all do, unless a space says otherwise)."""
        return True

    @property
    def all_valid(self) -> bool:
        """Whether everything that is put together from `parts` is valid."""
        return type(self).valid is Space.valid

    def holds_valid(self, region: Region) -> bool:
        """Whether the region has a valid architecture."""
        return True

    def strengths(self, region: Region, weights: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        """Of each candidate of each choice, that by whose product architectures are compared: here its weight."""
        given = region.allowed.items()
        return {choice: dict(zip(allowed, weights[choice].tolist(), strict=True)) for choice, allowed in given}

    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        """The valid architecture with the largest product of `strengths`. No weight, [allowed candidates], is negative.

        That is the strongest candidate of each choice, unless together they compute nothing. First wins ties. In a
        region without a valid architecture it is the strongest all the same.
        """
        ordered = strongest_first(self.parts(region), self.strengths(region, weights))
        return next(filter(self.valid, ordered) if self.holds_valid(region) else ordered)

    def cost_of(self, arch: Arch) -> Mapping[str, float]:
        """What an architecture costs of what is limited; nothing in a space without limits."""
        return {}

    def excess(self, region: Region, weights: Mapping[str, Tensor]) -> Tensor | None:
        """By which share of its limits what is drawn by these weights costs more on average, all added up.

        0 within them; None of a space without limits. `weights`: [allowed candidates], in which it is differentiable.
        """
        return None

    def grouping(self) -> Callable[[Arch], int] | None:
        """What tells the group of an architecture, where all groups have an equal share of a training (`balanced`).

        Groups are numbers, so that a small one can be joined with the next. Here how many convolutions are on the
        deepest way; None: there are no groups.
        """
        return Nonlinearity.of(self.layout(self.paper_size, 3))

    def drawer(self, region: Region, weights: Weights) -> Drawer:
        """Draws valid architectures of a region, each with a chance in proportion to the product of the weights of its
        candidates."""
        parts = [Weighted.of(part, weights) for part in self.parts(region)]
        return partial(drawn_until, parts, self.valid)

    def parts(self, region: Region) -> list[list[Arch]]:
        """What architectures of a region are put together from: one of each list, whatever is taken of the others.

        Here a list for each choice. A space whose architectures leave choices out overrides this.
        """
        return [[{choice: candidate} for candidate in allowed] for choice, allowed in region.allowed.items()]

    def every(self, region: Region) -> Iterator[Arch]:
        """Every architecture of a region, valid or not."""
        return map(joined, product(*self.parts(region)))

    def count(self, region: Region) -> int:
        """How many those are."""
        return prod(map(len, self.parts(region)))

    def uniform(self, region: Region, generator: torch.Generator) -> Arch:
        """One of them, uniformly."""
        return joined([pick(part, generator) for part in self.parts(region)])

    def trimmed(self, chosen: Arch) -> Arch:
        """The architecture of what is chosen at every choice: without what it leaves out. Here nothing is."""
        return chosen

    def completed(self, arch: Arch, region: Region) -> Arch:
        """The same with every choice acting, as far as it can: that candidates of any may be compared beside it.

        Here the architecture itself.
        """
        return arch

    @property
    def region(self) -> Region:
        """The whole space."""
        return Region({choice.name: choice.candidates for choice in self.choices})

    def sample(self, region: Region, generator: torch.Generator) -> Arch:
        """A valid architecture of the region, uniformly (rejecting the invalid ones)."""
        assert self.holds_valid(region), "the region holds no valid architecture"
        while True:
            arch = self.uniform(region, generator)
            if self.valid(arch):
                return arch


def offered(
    operations: int | Sequence[str] | None, known: Sequence[str], fewer: Mapping[int, Sequence[str]]
) -> tuple[str, ...]:
    """The operations that a space is asked to offer (None: all), in its own order.

    `fewer` are those that a number stands for, beside that of all. UserError unless they are two or more of its own.
    """
    numbers = {len(known): known, **fewer}
    if operations is None:
        return tuple(known)
    if isinstance(operations, int):
        if operations not in numbers:
            raise unknown("space.ops", str(operations), (*map(str, numbers), "a list of operations"))
        return tuple(numbers[operations])
    for operation in operations:
        if operation not in known:
            raise unknown("space.ops", operation, known)
    if len(set(operations)) != len(operations) or len(operations) < 2:
        raise UserError(f"space.ops: give two or more different operations, not {shown(list(operations))}")
    return tuple(operation for operation in known if operation in operations)


def pick(candidates: Sequence[Picked], generator: torch.Generator) -> Picked:
    """One of the candidates, uniformly."""
    return candidates[int(torch.randint(len(candidates), (), generator=generator))]
