"""The slow, obvious twins of `cleave.split.tally` and `.race`: all gradients are kept, everything is computed anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from tests.reference import partition
from tests.reference.similarity import dot, filters, table, whole

Probes = list[list[Tensor]]
"""Per mini-batch and parameter [candidates, *shape]."""


def rows_of(kind: str, gradients: list[Tensor]) -> list[list[list[float]]]:
    """By filter and candidate the numbers that are compared; without filters the whole gradient is one."""
    count = len(gradients[0])
    if kind != "filter-cos":
        return [[whole(gradients, i) for i in range(count)]]
    by_candidate = [filters(gradients, i) for i in range(count)]
    return [list(own) for own in zip(*by_candidate, strict=True)]


def products(kind: str, one: list[Tensor], other: list[Tensor]) -> Tensor:
    pairs = zip(rows_of(kind, one), rows_of(kind, other), strict=True)
    return torch.stack([table(len(a), lambda i, j, a=a, b=b: dot(a[i], b[j])) for a, b in pairs])


def compare(kind: str, values: Tensor, bounded: bool = True) -> Tensor:
    """Similarities from products [filters, n, n], entry by entry; cosines that noise has put beyond 1 are brought back
    where they are to be `bounded`."""
    n = values.shape[1]
    moved = [p for p in values if any(p[i, i] != 0 for i in range(n))]

    def entry(p: Tensor, i: int, j: int) -> float:
        length = math.sqrt(max(0.0, float(p[i, i]))) * math.sqrt(max(0.0, float(p[j, j])))
        cosine = float(p[i, j]) / length if length else 0.0
        return max(-1.0, min(1.0, cosine)) if bounded else cosine

    return table(n, lambda i, j: sum(entry(p, i, j) for p in moved) / max(1, len(moved)))


def mean(probes: Probes) -> list[Tensor]:
    return [sum(column[1:], column[0]) / len(probes) for column in zip(*probes, strict=True)]


def expected_products(kind: str, probes: Probes, horizon: int) -> Tensor:
    """Those of a mean over `horizon` probes: pairs of different ones, and each with itself, in that proportion."""
    n = len(probes)
    apart = [products(kind, probes[i], probes[j]) for i in range(n) for j in range(n) if i != j]
    alike = [products(kind, probe, probe) for probe in probes]
    share = 1 / horizon
    return (1 - share) * torch.stack(apart).mean(dim=0) + share * torch.stack(alike).mean(dim=0)


def influences(kind: str, probes: Probes, horizon: int, step: float = 1e-6) -> list[Tensor]:
    """Of every probe but the first: a difference quotient along twice its products with the mean of those before."""
    at, found = expected_products(kind, probes, horizon), []
    for number in range(1, len(probes)):
        crossed = products(kind, probes[number], mean(probes[:number]))
        along = crossed + crossed.transpose(1, 2)
        above, below = (compare(kind, at + move * along, bounded=False) for move in (step, -step))
        found.append(((above - below) / (2 * step)).masked_fill(hidden(kind, probes, at), math.nan))
    return found


def hidden(kind: str, probes: Probes, at: Tensor) -> Tensor:
    """[n, n]: whether one of both candidates moves, but has no length above zero in what is expected."""
    n = at.shape[1]
    moves = [any(float(products(kind, probe, probe)[:, i, i].max()) > 0 for probe in probes) for i in range(n)]
    lost = [moves[i] and float(at[:, i, i].max()) <= 0 for i in range(n)]
    return torch.tensor([[lost[i] or lost[j] for j in range(n)] for i in range(n)])


def cost(similarities: Tensor, groups: tuple[tuple[int, ...], ...]) -> float:
    """The mean over cut links."""
    count = len(similarities)
    links = partition.cost([[1.0] * count] * count, groups)
    return partition.cost(similarities.tolist(), groups) / max(1, links)


def gain(gap: float, error: float) -> float:
    """E[max(0, X)] of a normal X with mean -gap and this deviation, by the midpoint rule."""
    if error in (0, math.inf):
        return error
    width = 14 * error / 5_000
    points = (-gap - 7 * error + (i + 0.5) * width for i in range(5_000))
    scale = width / (error * math.sqrt(2 * math.pi))
    return scale * sum(x * math.exp(-(((x + gap) / error) ** 2) / 2) for x in points if x > 0)


def error_of(differences: list[float]) -> float:
    """The standard error of a mean of one more, the i-th difference counting i times."""
    weights = [i / sum(range(len(differences) + 1)) for i in range(1, len(differences) + 1)]
    centre = sum(w * d for w, d in zip(weights, differences, strict=True))
    variance = sum(w * (d - centre) ** 2 for w, d in zip(weights, differences, strict=True))
    return math.sqrt(variance / (1 - sum(w * w for w in weights)) / (len(differences) + 1))


Judged = Callable[[Probes], tuple[Tensor, list[Tensor]]]
"""Similarities and influences of the probes seen."""


def judge(seen: Mapping[str, Probes], judged: Judged, parts: int, deviations: float) -> tuple[list[str], float]:
    """The choices in doubt and the expected regret, from every gradient seen."""
    costs, series = {}, {}
    for choice, probes in seen.items():
        similarities, moves = judged(probes)
        for groups in partition.all_balanced(len(similarities), parts):
            costs[choice, groups] = cost(similarities, groups)
            series[choice, groups] = [cost(move, groups) for move in moves]
    leader = min(costs, key=lambda hypothesis: costs[hypothesis])
    doubtful, regret = set(), 0.0
    for rival in costs:
        common = min(len(series[rival]), len(series[leader]))
        error = error_of([a - b for a, b in zip(series[rival][:common], series[leader][:common], strict=True)])
        error = math.inf if math.isnan(error) else error
        if costs[rival] - costs[leader] < deviations * error:
            doubtful |= {rival[0], leader[0]}
            regret += gain(costs[rival] - costs[leader], error)
    return [choice for choice in seen if choice in doubtful], regret


def race(
    probes: Mapping[str, Probes],
    judged: Judged,
    parts: int,
    first: int,
    most: int,
    deviations: float,
    tolerance: float,
) -> tuple[dict[str, int], str]:
    """How many probes each choice got, and why the race ended."""
    seen, goal = dict.fromkeys(probes, first), first
    while True:
        stored = {choice: probes[choice][:count] for choice, count in seen.items()}
        doubtful, regret = judge(stored, judged, parts, deviations)
        if not doubtful:
            return seen, "settled"
        if regret < tolerance:
            return seen, "negligible"
        if goal == most:
            return seen, "most"
        goal = min(2 * goal, most)
        for choice in doubtful:
            seen[choice] = max(seen[choice], goal)
