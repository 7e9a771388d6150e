"""Slow, obvious twins of the criteria in `cleave.split`: number by number, pair by pair, path by path."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from cleave.net import Gates, Network, one_hot
from cleave.space import Arch

EDGES = ("1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2")
"""Of a cell of NAS-Bench-201."""
WAYS = (("3<-0",), ("1<-0", "3<-1"), ("2<-0", "3<-2"), ("1<-0", "2<-1", "3<-2"))
"""From the input to the output."""
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def matrix(count: int, distance: Callable[[int, int], float]) -> Tensor:
    """Similarities: minus the distance of each two."""
    return torch.tensor([[-distance(i, j) for j in range(count)] for i in range(count)], dtype=torch.float64)


def euclidean(points: Sequence[Sequence[float]]) -> Tensor:
    return matrix(len(points), lambda i, j: math.dist(points[i], points[j]))


def under(gates: Gates, choice: str, candidate: str) -> Gates:
    return {**gates, **one_hot({choice: candidate})}


def by_outputs(
    answers: Sequence[Callable[[Gates], Tensor]], gates: Sequence[Gates], choice: str, names: Sequence[str]
) -> Tensor:
    """The distance of the logits of each image, averaged over images and mini-batches."""

    def distance(i: int, j: int) -> float:
        found = []
        for answer, context in zip(answers, gates, strict=True):
            one, other = (answer(under(context, choice, names[each])).tolist() for each in (i, j))
            found += [math.dist(a, b) for a, b in zip(one, other, strict=True)]
        return math.fsum(found) / len(found)

    return matrix(len(names), distance)


def local_dimension(points: Sequence[Sequence[float]], at: int, neighbours: int) -> float:
    """Levina and Bickel's estimate around one point."""
    radii = sorted(math.dist(points[at], other) for number, other in enumerate(points) if number != at)[:neighbours]
    if radii[-1] == 0 or radii[0] == 0:
        return 0.0
    spread = math.fsum(math.log(radii[-1] / radius) for radius in radii[:-1]) / (len(radii) - 1)
    return min(1 / spread if spread else math.inf, len(points[at]))


def block_dimensions(network: Network, images: Tensor, gates: Gates, neighbours: int) -> list[float]:
    """The mean over images, block by block; what the network does is written out."""
    history, found = [images], []
    for block in network.blocks.values():
        history = block(history, gates)
        points = history[-1].flatten(1).tolist()
        found.append(math.fsum(local_dimension(points, at, neighbours) for at in range(len(points))) / len(points))
    return found


def gradient_norm(network: Network, loss: Callable[[Gates], Tensor], arch: Arch) -> float:
    network.zero_grad()
    loss(one_hot(arch)).backward()
    grads = [weight.grad for weight in network.parameters() if weight.dim() > 1 and weight.grad is not None]
    return math.fsum(math.sqrt(math.fsum(x * x for x in grad.flatten().tolist())) for grad in grads)


def convolutions_deep(arch: Mapping[str, str]) -> int:
    """Of one cell of NAS-Bench-201: the most on a way without none; 0 where there is no such way."""
    ways = [[arch[edge] for edge in way] for way in WAYS]
    counts = [sum(name.startswith("nor_conv") for name in way) for way in ways if "none" not in way]
    return max(counts, default=0)
