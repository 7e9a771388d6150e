"""One alternative of each group, so that their values add up to most and their costs keep within the room there is.

Exact: best first search, under a bound by Lagrange multipliers. Any multipliers give a right bound; good ones, a close
one, so that little has to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from heapq import heappop, heappush
from itertools import chain, count
from math import gcd
from operator import or_
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

ROUNDS = 200
"""Steps by which multipliers are looked for."""
KEPT = 24
"""Of the multipliers on the way, those of the lowest bounds; a state's bound is the least of theirs."""
STEEP = 1e4
"""A factor by which multipliers show early that what is left costs too much, whatever it is worth."""
ROUNDING = 1e-9


class State(NamedTuple):
    """What was chosen in the first groups: the sum of values, of costs [limits], and the numbers of alternatives."""

    value: float
    costs: Numbers
    chosen: tuple[int, ...]


def best_first(
    values: Sequence[Numbers], costs: Sequence[Numbers], room: Numbers, one_each: bool = False
) -> Iterator[tuple[int, ...]]:
    """The numbers of the alternatives of each group, the largest sum of values first, where costs are within `room`.

    `values`: [alternatives] of each group; `costs`: [alternatives, limits], none negative; `room`: [limits], which sums
    may pass by their rounding. `one_each`: of those that cost the same perhaps the best alone, which is quicker.
    """
    most = sum((cost.max(axis=0) for cost in costs), np.zeros_like(room))
    scale = np.where(most > 0, most, 1.0)
    order = sorted(range(len(values)), key=lambda group: -float(np.ptp(values[group])))
    place = np.argsort(order)
    ordered = [(values[group], costs[group] / scale) for group in order]
    bound = Bound(ordered, room / scale)
    raw = [costs[group] for group in order]
    entry, seen = count(), set[tuple[int, bytes]]()
    heap = [(0.0, 0, next(entry), State(0.0, np.zeros_like(room), ()))]
    while heap:
        _, depth, _, state = heappop(heap)
        if -depth == len(ordered):
            yield tuple(state.chosen[at] for at in place)
            continue
        if one_each:
            key = (depth, state.costs.tobytes())
            if key in seen:
                continue
            seen.add(key)
        for follower, most in bound.followers(state, raw[-depth], scale):
            heappush(heap, (-most, depth - 1, next(entry), follower))


class Bound:
    """What a state can come to at most, from groups of (values, costs) in the order in which they are decided."""

    def __init__(self, groups: Sequence[tuple[Numbers, Numbers]], room: Numbers) -> None:
        self.groups, self.room = groups, room
        good = multipliers(groups, room)
        self.usual = Multiplied(groups, room, np.concatenate([np.zeros((1, len(room))), good]))
        lengths = np.maximum(np.linalg.norm(good, axis=1, keepdims=True), 1e-300)
        directions = np.concatenate([np.eye(len(room)), good / lengths])
        self.spread = max((float(np.ptp(values)) for values, _ in groups), default=0.0) + 1.0
        self.steep = Multiplied(groups, room, STEEP * len(groups) * self.spread * directions)
        self.least = sum(float(values.min()) for values, _ in groups)

    def followers(self, state: State, raw: Numbers, scale: Numbers) -> Iterator[tuple[State, float]]:
        """The states after the next group, with what each can come to; none that cannot be ended within the room."""
        depth = len(state.chosen)
        values, _ = self.groups[depth]
        totals, sums = state.value + values, state.costs + raw
        most = self.usual.bounds(depth + 1, totals, sums / scale)
        hopeless = self.steep.bounds(depth + 1, totals, sums / scale) < self.least - ROUNDING * STEEP * self.spread
        last = depth + 1 == len(self.groups)
        for i in np.flatnonzero(~hopeless & ((sums / scale <= self.room + ROUNDING).all(axis=1))).tolist():
            yield State(float(totals[i]), sums[i], (*state.chosen, i)), float(totals[i] if last else most[i])


class Multiplied:
    """Bounds by some multipliers [multipliers, limits]: costs are charged, the room that is left is paid for."""

    def __init__(self, groups: Sequence[tuple[Numbers, Numbers]], room: Numbers, by: Numbers) -> None:
        self.by, self.room = by, room
        rest = [np.zeros(len(by))]
        for values, costs in reversed(groups):
            rest.append(rest[-1] + (values[:, np.newaxis] - costs @ by.T).max(axis=0))
        self.rest = rest[::-1]

    def bounds(self, depth: int, totals: Numbers, sums: Numbers) -> Numbers:
        """[states] at this depth, of the sums of their values [states] and of their costs [states, limits]."""
        charged: Numbers = totals[:, np.newaxis] + (self.room - sums) @ self.by.T + self.rest[depth]
        least: Numbers = charged.min(axis=1)
        return least


def multipliers(groups: Sequence[tuple[Numbers, Numbers]], room: Numbers) -> Numbers:
    """Some [multipliers, limits] with a low bound, by subgradient steps from 0."""
    now, found = np.zeros_like(room), list[tuple[float, int, Numbers]]()
    spread = sum(float(np.ptp(values)) for values, _ in groups)
    for step in range(ROUNDS):
        picked = [int((values - costs @ now).argmax()) for values, costs in groups]
        spent = sum((costs[i] for i, (_, costs) in zip(picked, groups, strict=True)), np.zeros_like(room))
        worth = sum(float(values[i]) for i, (values, _) in zip(picked, groups, strict=True))
        found.append((worth + float(now @ (room - spent)), step, now))
        over = spent - room
        length = max(float(np.linalg.norm(over)), 1e-300)
        now = np.maximum(0.0, now + spread / (1 + step) ** 0.7 * over / length)
    return np.array([now for _, _, now in sorted(found, key=lambda each: each[:2])[:KEPT]])


def fullest(costs: Sequence[Sequence[int]], room: int) -> list[int]:
    """The numbers of the alternatives, one of each group, that cost most together within `room`; of equals the first of
    each group, the last group decided first.

    Exact: bit n of `reached[g]` says whether the first g groups can come to n units beside their cheapest alternatives.
    ValueError where even those cost more than there is room.
    """
    least = list(map(min, costs))
    spare = room - sum(least)
    if spare < 0:
        raise ValueError(f"the cheapest cost {sum(least)}, and there is room for {room}")
    over = [[cost - low for cost in group] for group, low in zip(costs, least, strict=True)]
    unit = gcd(*chain(*over)) or 1
    within = (1 << spare // unit + 1) - 1
    reached = [1]
    for group in over:
        reached.append(reduce(or_, (reached[-1] << cost // unit & within for cost in set(group))))
    left, chosen = reached[-1].bit_length() - 1, list[int]()
    for before, group in zip(reversed(reached[:-1]), reversed(over), strict=True):
        fits = {cost for cost in set(group) if cost // unit <= left and before >> left - cost // unit & 1}
        chosen.append(next(number for number, cost in enumerate(group) if cost in fits))
        left -= group[chosen[-1]] // unit
    return chosen[::-1]
