"""A limit on what architectures cost is a space of which fewer are valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from math import log
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from cleave.errors import UserError
from cleave.space.choice import Arch, Choice
from cleave.space.expected import ExpectedCosts
from cleave.space.knapsack import Numbers
from cleave.space.layout import Auxiliary, Layout
from cleave.space.region import Region
from cleave.space.sample import ENUMERABLE, enumerate_valid
from cleave.space.space import Space
from cleave.space.weighted import Drawer, Weights
from cleave.space.within import Group, Within

UNITS = {"multiply_adds": "multiply-adds", "parameters": "parameters", "milliseconds": "ms"}
"""What may be limited, as people say it."""
LEAST = 1e-9
"""Of the room that limits leave, so that there is something to divide by."""
WEAKEST = 1e-300
"""Of a strength, so that it has a logarithm."""


class Priced(Protocol):
    """What an architecture or a part of one costs (`cleave.net.cost.Cost`)."""

    @property
    def parameters(self) -> int: ...

    @property
    def multiply_adds(self) -> int: ...


class Prices(Protocol):
    """What the architectures of a space cost (`cleave.net.cost.Costs`)."""

    @property
    def common(self) -> Priced: ...

    def of(self, arch: Arch) -> Priced: ...

    def groups(self, parts: Sequence[Sequence[Arch]]) -> Sequence[Sequence[tuple[Arch, Priced]]]: ...


class NothingWithin(UserError):
    """No architecture of a space is within limits; the message tells the least."""


class Limited(Space):
    """The architectures of a space that cost no more than said: they alone are drawn, derived and compared.

    `prices` are those at one size (`cleave.net.cost.costs`), and `most` the limits, by the names of what is limited, as
    in {"multiply_adds": 300_000_000}. UserError, which tells the nearest architecture, where none is within the limits.
    """

    def __init__(self, inner: Space, prices: Prices, most: Mapping[str, float], name: str | None = None) -> None:
        """`name`: by which it is told apart from the whole space; None: the space's own."""
        self.inner, self.prices, self.most = inner, prices, dict(most)
        self.name, self.choices = name or inner.name, inner.choices
        self.paper_size, self.tabulated, self.elastic = inner.paper_size, inner.tabulated, inner.elastic
        self.paper_image_size, self.paper_classes = inner.paper_image_size, inner.paper_classes
        self._priced: dict[Any, list[Group]] = {}
        self._known: dict[Any, Within] = {}
        self._expected: dict[Any, ExpectedCosts] = {}
        if not self.holds_valid(self.region):
            raise NothingWithin(f"space {self.name}: {self._nearest()}; allow more")

    def tightened(self, what: str, most: float) -> Limited:
        """The same with another limit of one of the costs that are limited; what is known of costs is used again."""
        assert what in self.most
        other = copy(self)
        other.most, other._known = {**self.most, what: most}, {}
        return other

    @property
    def usual_size(self) -> Any:  # noqa: ANN401
        return self.inner.usual_size

    def asked(self) -> Mapping[str, Any]:
        return self.inner.asked()

    def layout(self, size: Any, image_channels: int) -> Layout:  # noqa: ANN401
        return self.inner.layout(size, image_channels)

    def smallest_side(self, size: Any) -> int:  # noqa: ANN401
        return self.inner.smallest_side(size)

    def auxiliary(self, size: Any) -> Auxiliary | None:  # noqa: ANN401
        return self.inner.auxiliary(size)

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

    def trimmed(self, chosen: Arch) -> Arch:
        return self.inner.trimmed(chosen)

    def completed(self, arch: Arch, region: Region) -> Arch:
        return self.inner.completed(arch, region)

    def strengths(self, region: Region, weights: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        return self.inner.strengths(region, weights)

    def cost_of(self, arch: Arch) -> dict[str, float]:
        cost = self.prices.of(arch)
        return {what: getattr(cost, what) for what in self.most}

    def valid(self, arch: Arch) -> bool:
        return self.inner.valid(arch) and all(cost <= self.most[what] for what, cost in self.cost_of(arch).items())

    def holds_valid(self, region: Region) -> bool:
        """Known exactly: where there is none, everything that could have been is ruled out."""
        return self.inner.holds_valid(region) and self._within(region).cheap is not None

    def sample(self, region: Region, generator: torch.Generator) -> Arch:
        """One within the limits, uniformly."""
        return self._within(region).draw(generator)

    def grouping(self) -> Callable[[Arch], int] | None:
        return self.inner.grouping()

    def drawer(self, region: Region, weights: Weights) -> Drawer:
        return self._within(region).weighted(weights).draw

    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        """That of the space if it is within the limits, else the valid one with the largest product of `strengths`.

        In a region without a valid one it is that of the space all the same.
        """
        arch = self.inner.derive(region, weights)
        if self.valid(arch) or not self.holds_valid(region):
            return arch
        strengths = self.strengths(region, weights)
        logs = {
            choice: {candidate: log(max(strength, WEAKEST)) for candidate, strength in each.items()}
            for choice, each in strengths.items()
        }

        def values(group: Group) -> Numbers:
            return np.array([sum(logs[choice][each] for choice, each in part.items()) for part in group.archs])

        return next(self._within(region).strongest(values))

    def excess(self, region: Region, weights: Mapping[str, Tensor]) -> Tensor:
        key = tuple(region.allowed.items())
        if key not in self._expected:
            groups = [(group.archs, group.costs.tolist()) for group in self._within(region).whole]
            common = [getattr(self.prices.common, what) for what in self.most]
            self._expected[key] = ExpectedCosts(groups, common, region)
        expected = self._expected[key](weights)
        return (expected / expected.new_tensor(list(self.most.values())) - 1).clamp(min=0).sum()

    def _within(self, region: Region) -> Within:
        """What of a region is within the limits; kept, since a search asks for the same few regions all the time."""
        key = tuple(region.allowed.items())
        if key not in self._known:
            room = np.maximum([most - getattr(self.prices.common, what) for what, most in self.most.items()], LEAST)
            self._known[key] = Within(self._groups(region), room, self.valid, self._listed(region))
        return self._known[key]

    def _listed(self, region: Region) -> bool:
        """Whether only valid architectures are in `_groups`."""
        return self.inner.all_valid or self.inner.count(region) <= ENUMERABLE

    def _groups(self, region: Region) -> list[Group]:
        """Their costs do not depend on how high the limits are."""
        key = tuple(region.allowed.items())
        if key not in self._priced:
            self._priced[key] = self._counted(region)
        return self._priced[key]

    def _counted(self, region: Region) -> list[Group]:
        """Groups of what costs together; or one of whole architectures, where some compute nothing and they are few."""
        if self.inner.all_valid or not self._listed(region):
            return [self._group(each) for each in self.prices.groups(self.inner.parts(region))]
        priced = [(arch, self.prices.of(arch)) for arch in enumerate_valid(self.inner, region)]
        whole = self._group(priced)
        return [Group(whole.archs, whole.costs - [getattr(self.prices.common, what) for what in self.most])]

    def _group(self, priced: Sequence[tuple[Arch, Priced]]) -> Group:
        costs = [[float(getattr(cost, what)) for what in self.most] for _, cost in priced]
        return Group([arch for arch, _ in priced], np.array(costs).reshape(len(priced), len(self.most)))

    def cheapest(self, region: Region, what: str) -> Arch:
        """The valid architecture of a region with the least of one of the costs that are limited."""
        assert self.holds_valid(region), "the region holds no valid architecture"
        limit = list(self.most).index(what)
        return next(self._within(region).strongest(lambda group: -group.costs[:, limit]))

    def _nearest(self) -> str:
        """That of the whole space which takes the smallest share of the limits, for people."""
        groups, most = self._groups(self.region), np.array(list(self.most.values()))
        everything = sum((group.costs.max(axis=0) for group in groups), np.ones(len(most)))
        free = Within(groups, everything, self.inner.valid, self._listed(self.region))
        arch = next(free.strongest(lambda group: -(group.costs / most).sum(axis=1)))
        end = "the least is" if len(self.most) == 1 else "the nearest has"
        told_of = told(self.cost_of(arch))
        return f"no architecture keeps to {told(self.most)}; {end} {told_of}, that of {self.format(arch)}"


def told(costs: Mapping[str, float]) -> str:
    """Costs for people, as in 300,000,000 multiply-adds and 8 ms."""
    return " and ".join(f"{amount(value)} {UNITS[what]}" for what, value in costs.items())


def amount(value: float) -> str:
    """A count whole, milliseconds to the microsecond."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"
