"""A limit on what architectures cost is a space of which fewer are valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from cleave.errors import UserError
from cleave.space.choice import Arch, Choice
from cleave.space.layout import Layout
from cleave.space.region import Region
from cleave.space.sample import ENUMERABLE, enumerate_valid
from cleave.space.space import Space, pick
from cleave.space.strongest import strongest_first

TRIES = 100
"""Draws before valid architectures are looked for in another way."""


class Priced(Protocol):
    """What an architecture costs (`cleave.net.cost.Cost`)."""

    @property
    def parameters(self) -> int: ...

    @property
    def multiply_adds(self) -> int: ...


class Limited(Space):
    """The architectures of a space that cost no more than said: they alone are drawn, derived and compared.

    `cost` gives the cost of one, as `cleave.net.cost.costs(...).of` does at a size. UserError where none is within the
    limits.
    """

    def __init__(
        self,
        inner: Space,
        cost: Callable[[Arch], Priced],
        most_parameters: int | None = None,
        most_multiply_adds: int | None = None,
        name: str | None = None,
    ) -> None:
        """`name`: by which it is told apart from the whole space; None: the space's own."""
        self.inner, self.cost = inner, cost
        limits = {"parameters": most_parameters, "multiply_adds": most_multiply_adds}
        self.most = {what: most for what, most in limits.items() if most is not None}
        self.name, self.choices = name or inner.name, inner.choices
        self.paper_size, self.tabulated = inner.paper_size, inner.tabulated
        self.paper_image_size, self.paper_classes = inner.paper_image_size, inner.paper_classes
        self._held: dict[Any, bool] = {}
        if not self.holds_valid(self.region):
            told = " and ".join(f"{most:,} {what.replace('_', '-')}" for what, most in self.most.items())
            raise UserError(f"space {self.name}: no architecture was found within {told}; allow more")

    @property
    def usual_size(self) -> Any:  # noqa: ANN401
        return self.inner.usual_size

    def layout(self, size: Any, image_channels: int) -> Layout:  # noqa: ANN401
        return self.inner.layout(size, image_channels)

    def parse(self, text: str) -> Arch:
        return self.inner.parse(text)

    def format(self, arch: Arch) -> str:
        return self.inner.format(arch)

    def draw(self, arch: Arch) -> str:
        return self.inner.draw(arch)

    @property
    def splittable(self) -> tuple[Choice, ...]:
        return self.inner.splittable

    def parts(self, region: Region) -> list[list[Arch]]:
        return self.inner.parts(region)

    def every(self, region: Region) -> Iterator[Arch]:
        return self.inner.every(region)

    def count(self, region: Region) -> int:
        return self.inner.count(region)

    def uniform(self, region: Region, generator: torch.Generator) -> Arch:
        return self.inner.uniform(region, generator)

    def excess(self, arch: Arch) -> float:
        """By which share of the limits an architecture is above them, added up; 0 within them."""
        cost = self.cost(arch)
        shares: list[float] = [getattr(cost, what) / most for what, most in self.most.items()]
        return sum(max(0.0, share - 1) for share in shares)

    def valid(self, arch: Arch) -> bool:
        return self.inner.valid(arch) and self.excess(arch) == 0

    def holds_valid(self, region: Region) -> bool:
        """By a list of the region's architectures, or where there are too many by going down from some of them.

        Going down finds the cheapest where costs add up choice by choice and every architecture is valid without
        limits. Elsewhere it could miss what is there.
        """
        key = tuple(region.allowed.items())
        if key not in self._held:
            self._held[key] = self.inner.holds_valid(region) and self._finds_valid(region)
        return self._held[key]

    def _finds_valid(self, region: Region) -> bool:
        if self.inner.count(region) <= ENUMERABLE:
            return any(map(self.valid, self.inner.every(region)))
        generator = torch.Generator().manual_seed(0)
        return any(self.lighter(self.inner.sample(region, generator), region) is not None for _ in range(TRIES))

    def sample(self, region: Region, generator: torch.Generator) -> Arch:
        """Uniform where that is quickly drawn or the region can be listed; else one is drawn and made lighter."""
        assert self.holds_valid(region), "the region holds no valid architecture"
        for _ in range(TRIES):
            arch = self.inner.sample(region, generator)
            if self.excess(arch) == 0:
                return arch
        if self.inner.count(region) <= ENUMERABLE:
            return pick(enumerate_valid(self, region), generator)
        while True:
            lighter = self.lighter(self.inner.sample(region, generator), region)
            if lighter is not None:
                return lighter

    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        """That of the space, or where it is above the limits the valid one with the largest product of weights.

        In a region that cannot be listed the space's own is made lighter, each time where least weight is lost for it.
        """
        arch = self.inner.derive(region, weights)
        if self.excess(arch) == 0 or not self.holds_valid(region):
            return arch
        if self.inner.count(region) <= ENUMERABLE:
            return next(filter(self.valid, strongest_first(self.parts(region), region, weights)))
        given = {choice: dict(zip(region.allowed[choice], weights[choice].tolist(), strict=True)) for choice in weights}
        lighter = self.lighter(arch, region, given)
        return self.sample(region, torch.Generator().manual_seed(0)) if lighter is None else lighter

    def lighter(
        self, arch: Arch, region: Region, weights: Mapping[str, Mapping[str, float]] | None = None
    ) -> Arch | None:
        """A valid architecture, reached by one choice after the other; None where it ends above the limits.

        Each step is the one that loses least weight for what it gains; without weights, the one that gains most.
        """
        while (excess := self.excess(arch)) > 0:
            steps: list[tuple[float, float, int, Arch]] = []
            for choice in arch:
                for candidate in region.allowed[choice]:
                    other = {**arch, choice: candidate}
                    gained = excess - self.excess(other)
                    lost = 1.0 if weights is None else weights[choice][arch[choice]] - weights[choice][candidate]
                    if gained > 0 and self.inner.valid(other):
                        steps.append((max(lost, 0.0) / gained, -gained, len(steps), other))
            if not steps:
                return None
            arch = min(steps)[-1]
        return arch
