"""Supernet shifting without cleverness: architectures that are asked one by one, and weights that are moved by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.nn.functional import cross_entropy

from cleave.data.stream import Batch
from cleave.net import Network, one_hot
from cleave.space import Arch

Members = list[tuple[Arch, float]]
"""Architectures and their losses on held-out images."""


def generations(
    network: Network,
    children: Sequence[Sequence[Arch]],
    kept: int,
    held: Sequence[Batch],
    training: Sequence[Batch],
    rate: float,
) -> Iterator[Members]:
    """All that is judged in each generation, under the weights of then; the weights of `network` are moved.

    children: those of each generation. kept: how many of it are parents. training: the batches of all steps, as many
    of them between one generation and the next.
    """
    members: Members = []
    batches = iter(training)
    for number, new in enumerate(children):
        if number > 0:
            for _ in range(len(training) // (len(children) - 1)):
                step(network, [arch for arch, _ in members], next(batches), rate)
            parents = sorted(members, key=lambda member: member[1])[:kept]
            members = [(arch, held_out_loss(network, arch, held)) for arch, _ in parents]
        members = members + [(arch, held_out_loss(network, arch, held)) for arch in new]
        yield members


def step(network: Network, archs: Sequence[Arch], batch: Batch, rate: float) -> None:
    images, labels = batch
    mean = torch.stack([cross_entropy(network(images, one_hot(arch)), labels) for arch in archs]).mean()
    weights = list(network.parameters())
    slopes = torch.autograd.grad(mean, weights, allow_unused=True)
    with torch.no_grad():
        for weight, slope in zip(weights, slopes, strict=True):
            if slope is not None:
                weight -= rate * slope


@torch.no_grad()
def held_out_loss(network: Network, arch: Arch, held: Sequence[Batch]) -> float:
    """The mean over all images."""
    each = [cross_entropy(network(images, one_hot(arch)), labels, reduction="none") for images, labels in held]
    return torch.cat(each).mean().item()
