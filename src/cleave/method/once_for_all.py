"""Training of a supernet whose networks are parts of its largest one, which teaches the others.

The sandwich rule (Yu & Huang, 2019; BigNAS, Yu et al., 2020) trains the largest network, the smallest and some between
them in every step; plain random networks beside the largest cost less.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from cleave.method.base import StepContext, method
from cleave.method.phase import Lesson
from cleave.method.rsps import DerivingSettings, Rsps
from cleave.net import Gates, one_hot
from cleave.settings import Positive
from cleave.space import Arch, Region, Space
from cleave.space.elastic import size_of
from cleave.space.space import pick


class OnceForAllSettings(DerivingSettings):
    """What the trainers of elastic networks have in common."""

    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    learning_rate_min: Annotated[float, Field(ge=0)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 3e-5
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    spare_norms: bool = True


class OnceForAll(Rsps):
    """Networks are drawn dimension by dimension: every depth as often as every other, and so every kernel and width.

    Limits are of what is derived: the largest network, which teaches, may be above them.
    """

    elastic = True

    @classmethod
    def refuses(cls, settings: OnceForAllSettings, space: Space) -> str | None:
        if not space.elastic:
            return "needs a space whose networks are parts of a largest one, as in space.name=mobilenet-ofa"
        return None

    @property
    def largest(self) -> Gates:
        return one_hot(extreme(self.space, self.region, largest=True))

    @property
    def smallest(self) -> Gates:
        return one_hot(extreme(self.space, self.region, largest=False))

    def drawn(self, generator: torch.Generator, region: Region | None = None) -> Gates:
        return one_hot(drawn(self.space, region or self.region, generator))

    def gates(self, context: StepContext) -> Gates:
        return self.drawn(context.generator)

    def probe(self, context: StepContext) -> Gates:
        """One of the deepest networks, so that candidates of every block can be told apart."""
        arch = drawn(self.space, self.region, context.generator)
        return one_hot(self.space.completed(arch, self.region))

    def distilled(self, others: list[Gates]) -> list[Lesson]:
        """The largest network learns from labels, the others from its answers (in-place distillation)."""
        if self.region.size == 1:
            return [Lesson(self.largest)]
        return [Lesson(self.largest), *(Lesson(gates, labels=0.0, taught=1.0) for gates in others)]


class SandwichSettings(OnceForAllSettings):
    """The sandwich rule with in-place distillation."""

    name: Literal["sandwich"] = "sandwich"
    paths: Positive = 2  # random networks in a weight step, beside the largest and the smallest


@method(SandwichSettings)
class Sandwich(OnceForAll):
    """The largest network, the smallest and some random ones."""

    @staticmethod
    def paths_each(settings: SandwichSettings) -> int:  # type: ignore[override]
        return settings.paths + 2

    def lessons(self, context: StepContext) -> list[Lesson]:
        drawn = [self.drawn(context.generator) for _ in range(self.settings.paths)]
        return self.distilled([self.smallest, *drawn])


class SubnetsSettings(OnceForAllSettings):
    """Plain random networks with in-place distillation."""

    name: Literal["subnets"] = "subnets"
    paths: Positive = 1  # random networks in a weight step, beside the largest


@method(SubnetsSettings)
class Subnets(OnceForAll):
    """The largest network and some random ones."""

    @staticmethod
    def paths_each(settings: SubnetsSettings) -> int:  # type: ignore[override]
        return settings.paths + 1

    def lessons(self, context: StepContext) -> list[Lesson]:
        return self.distilled([self.drawn(context.generator) for _ in range(self.settings.paths)])


def extreme(space: Space, region: Region, largest: bool) -> Arch:
    """The largest architecture of a region, or the smallest."""
    pick = max if largest else min
    return space.trimmed({choice: pick(allowed, key=size_of) for choice, allowed in region.allowed.items()})


def drawn(space: Space, region: Region, generator: torch.Generator) -> Arch:
    """An architecture of which every choice is drawn uniformly by itself."""
    return space.trimmed({choice: pick(allowed, generator) for choice, allowed in region.allowed.items()})
