"""The architectures of a region that keep limits: the strongest first, and uniform draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from cleave.space.choice import Arch, joined
from cleave.space.knapsack import ROUNDING, Numbers, best_first
from cleave.space.weighted import Weights, logs_of

SWEEPS, HALVINGS, STEEPEST = 10, 60, 2.0**60
"""Of the search for tilts: rounds over all limits, halvings for each, and the largest."""


@dataclass(frozen=True)
class Group:
    """Parts of architectures, of which an architecture has one, and what each costs [alternatives, limits]."""

    archs: Sequence[Arch]
    costs: Numbers


@dataclass(frozen=True)
class Within:
    """What is put together from one alternative of each group, costs `room` [limits] at most, and is valid.

    `room` is above 0. `all_valid`: everything within the room is valid, so that less has to be looked at.
    """

    whole: Sequence[Group]
    room: Numbers
    valid: Callable[[Arch], bool]
    all_valid: bool = False
    weights: Weights | None = None
    """Of candidates, by whose product draws are made; None: all are drawn alike."""

    def weighted(self, weights: Weights) -> Within:
        """The same with other chances."""
        return replace(self, weights=weights)

    @cached_property
    def groups(self) -> list[Group]:
        """Without the alternatives that cost too much even beside the cheapest of all others."""
        least = [np.min(group.costs, axis=0, initial=np.inf) for group in self.whole]
        spare = self.room - sum(least, np.zeros_like(self.room))
        allowance = ROUNDING * np.maximum(self.room, 1)
        return [
            chosen_of(group, (group.costs <= spare + own + allowance).all(axis=1))
            for group, own in zip(self.whole, least, strict=True)
        ]

    def strongest(self, values: Callable[[Group], Numbers]) -> Iterator[Arch]:
        """The largest sum of values [alternatives] first; of equal costs perhaps the best alone."""
        groups = self.groups
        if not all(group.archs for group in groups):
            return
        found = best_first([values(group) for group in groups], [group.costs for group in groups], self.room,
                           self.all_valid)  # fmt: skip
        archs = (joined(group.archs[i] for group, i in zip(groups, chosen, strict=True)) for chosen in found)
        yield from filter(self.valid, archs)

    @cached_property
    def cheap(self) -> Arch | None:
        """One that takes little of the room; None where there is none."""
        return next(self.strongest(lambda group: -(group.costs / self.room).sum(axis=1)), None)

    def draw(self, generator: torch.Generator) -> Arch:
        """One of them, uniformly or by the weights.

        What costs little is drawn more often, and kept with the chance that makes up for it: so few draws are in vain
        even where hardly anything is within the room.
        """
        assert self.cheap is not None, "nothing is within the room"
        while True:
            *drawn, last = torch.rand(len(self.groups) + 1, dtype=torch.float64, generator=generator).tolist()
            picked = [
                (group, min(int(np.searchsorted(sums, chance, side="right")), len(sums) - 1))
                for group, sums, chance in zip(self.groups, self._tilted, drawn, strict=True)
            ]
            taken = sum((group.costs[i] for group, i in picked), np.zeros_like(self.room)) / self.room
            arch = joined(group.archs[i] for group, i in picked)
            if last < np.exp(self._tilt @ (taken - 1)) and self.valid(arch):
                return arch

    @cached_property
    def _tilted(self) -> list[Numbers]:
        """The cumulated chances of each group's alternatives."""
        return [
            np.cumsum(tilted(group.costs / self.room, self._tilt, logs))
            for group, logs in zip(self.groups, self._logs, strict=True)
        ]

    @cached_property
    def _logs(self) -> list[Numbers]:
        """Of the weights of each group's alternatives."""
        if self.weights is None:
            return [np.zeros(len(group.archs)) for group in self.groups]
        return [logs_of(group.archs, self.weights) for group in self.groups]

    @cached_property
    def _tilt(self) -> Numbers:
        """[limits] How much draws favour low costs: so that on average they take the room and no more."""
        tilt = np.zeros_like(self.room)
        for _ in range(SWEEPS if len(tilt) > 1 else 1):
            for limit in range(len(tilt)):
                tilt[limit] = self._balanced(tilt, limit)
        return tilt

    def _balanced(self, tilt: Numbers, limit: int) -> float:
        """The tilt by one limit at which draws take as much of it as there is; 0 where they take less untilted."""
        low, high = 0.0, 0.0
        while self._mean(tilt, limit, high) > 1 and high < STEEPEST:
            low, high = high, 2 * high + 1
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._mean(tilt, limit, middle) > 1 else (low, middle)
        return high

    def _mean(self, tilt: Numbers, limit: int, by: float) -> float:
        """What draws take of a limit on average, as a share of its room, where they are tilted so much by it."""
        tilt = np.where(np.arange(len(tilt)) == limit, by, tilt)
        shares = [group.costs / self.room for group in self.groups]
        return sum(
            float(tilted(share, tilt, logs) @ share[:, limit]) for share, logs in zip(shares, self._logs, strict=True)
        )


def chosen_of(group: Group, which: NDArray[np.bool_]) -> Group:
    return Group([arch for arch, keep in zip(group.archs, which, strict=True) if keep], group.costs[which])


def tilted(shares: Numbers, tilt: Numbers, logs: Numbers) -> Numbers:
    """The chances [alternatives] of alternatives that take these shares of the room [alternatives, limits], and have
    these logarithms of weights [alternatives]."""
    logits = logs - shares @ tilt
    weights = np.exp(logits - logits.max())
    chances: Numbers = weights / weights.sum()
    return chances
