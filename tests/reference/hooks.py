"""Weight steps with hooks, written out: every formula on flat vectors, and SGD with Nesterov momentum by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log

import torch
from torch import Tensor

Vectors = dict[str, Tensor]
"""By name of a weight; one that has none did not run."""


def exponent(size: float, least: float, largest: float, most: float) -> float:
    """g(a) of DYNAS: a line through (ln least, most) and (ln largest, 1 / most)."""
    share = (log(size) - log(least)) / (log(largest) - log(least))
    return most + share * (1 / most - most)


def flat(vectors: Vectors, names: Sequence[str]) -> Tensor:
    return torch.cat([vectors[name].flatten() for name in names])


def without_conflict(one: Vectors, other: Vectors) -> Vectors:
    """One minus its part along the other, where their inner product is negative."""
    names = [name for name in one if name in other]
    if not names:
        return dict(one)
    a, b = flat(one, names), flat(other, names)
    left = a if a @ b >= 0 else a - (a @ b) / (b @ b) * b
    sizes = [one[name].numel() for name in names]
    parts = dict(zip(names, left.split(sizes), strict=True))
    return {name: parts[name].view_as(each) if name in parts else each for name, each in one.items()}


def summed(each: Sequence[Vectors]) -> Vectors:
    names = {name for vectors in each for name in vectors}
    return {name: torch.stack([vectors[name] for vectors in each if name in vectors]).sum(dim=0) for name in names}


def running_mean(before: Vectors, now: Vectors, decay: float) -> Vectors:
    renewed = {
        name: decay * before[name] + (1 - decay) * each if name in before else each for name, each in now.items()
    }
    return {**before, **renewed}


def sgd(
    weights: Vectors,
    velocities: Vectors,
    gradients: Vectors,
    rate: float,
    momentum: float,
    decay: float,
    clip: float | None,
) -> tuple[Vectors, Vectors]:
    """(weights, velocities) after a step; what has no gradient stands still."""
    length = sum(float(each.square().sum()) for each in gradients.values()) ** 0.5
    factor = 1.0 if clip is None else min(1.0, clip / (length + 1e-6))
    weights, velocities = dict(weights), dict(velocities)
    for name, gradient in gradients.items():
        update = factor * gradient + decay * weights[name]
        velocities[name] = momentum * velocities[name] + update if name in velocities else update
        weights[name] = weights[name] - rate * (update + momentum * velocities[name])
    return weights, velocities


def gradients_of(loss: Callable[[Mapping[str, Tensor]], Tensor], weights: Vectors) -> Vectors:
    """Of the weights that the loss depends on."""
    leaves = {name: each.detach().clone().requires_grad_() for name, each in weights.items()}
    found = torch.autograd.grad(loss(leaves), list(leaves.values()), allow_unused=True)
    return {name: each for name, each in zip(leaves, found, strict=True) if each is not None}
