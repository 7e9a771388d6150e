"""Slow, obvious twins of `cleave.split.similarity` and `cleave.split.gradient`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Flat = list[list[float]]


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def cos(a: list[float], b: list[float]) -> float:
    length = math.sqrt(dot(a, a) * dot(b, b))
    return dot(a, b) / length if length else 0.0


def whole(gradients: list[Tensor], candidate: int) -> list[float]:
    return [value for parameter in gradients for value in parameter[candidate].flatten().tolist()]


def table(count: int, entry: Callable[[int, int], float]) -> Tensor:
    return torch.tensor([[entry(i, j) for j in range(count)] for i in range(count)], dtype=torch.float64)


def cosine(gradients: list[Tensor]) -> Tensor:
    rows = [whole(gradients, i) for i in range(len(gradients[0]))]
    return table(len(rows), lambda i, j: cos(rows[i], rows[j]))


def negative_l2(gradients: list[Tensor]) -> Tensor:
    rows = [whole(gradients, i) for i in range(len(gradients[0]))]
    return table(len(rows), lambda i, j: -math.dist(rows[i], rows[j]))


def filters(gradients: list[Tensor], candidate: int) -> Flat:
    rows = []
    for parameter in gradients:
        own = parameter[candidate]
        rows += [own.tolist()] if own.dim() == 1 else [part.flatten().tolist() for part in own]
    return rows


def filter_cosine(gradients: list[Tensor]) -> Tensor:
    rows = [filters(gradients, i) for i in range(len(gradients[0]))]
    moved = [n for n in range(len(rows[0])) if any(any(own[n]) for own in rows)]

    def entry(i: int, j: int) -> float:
        return sum(cos(rows[i][n], rows[j][n]) for n in moved) / len(moved) if moved else 0.0

    return table(len(rows), entry)


def numeric_gradient(loss: Callable[[], Tensor], parameters: list[nn.Parameter], step: float = 1e-6) -> list[float]:
    """Central differences, one number at a time."""
    found = []
    with torch.no_grad():
        for parameter in parameters:
            values = parameter.view(-1)
            for i in range(len(values)):
                kept = values[i].item()
                values[i] = kept + step
                above = loss().item()
                values[i] = kept - step
                below = loss().item()
                values[i] = kept
                found.append((above - below) / (2 * step))
    return found
