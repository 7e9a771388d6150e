"""A supernet the way published code writes it: plain, and slow. What is common to all spaces.

This is what cleave is measured against. It was written from descriptions of DARTS (Liu et al. 2019), NAS-Bench-201
(Dong & Yang 2020) and GM-NAS, and follows their releases in what they compute: one module per operation and edge.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cleave.net import Gate, Gates, Network

Allowed = Mapping[str, Sequence[str]]
"""Per edge ("2<-1": from node 1 to node 2) the operations to choose from."""

Rows = Mapping[str, Tensor]
"""Per edge the weights of its operations."""

Batch = tuple[Tensor, Tensor]
"""Images [n, channels, height, width] and labels [n]."""

Factories = Mapping[str, Callable[[int, int], nn.Module]]
"""What makes an operation, from (channels, stride)."""


def batch_norm(channels: int, affine: bool = False) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=False)


def relu_conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1, affine: bool = False) -> nn.Module:
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, batch_norm(channels_out, affine))


class MixedEdge(nn.Module):
    """The weighted sum of an edge's operations; what has weight 0 does not run."""

    def __init__(self, factories: Factories, candidates: Sequence[str], channels: int, stride: int = 1) -> None:
        super().__init__()
        self.ops = nn.ModuleDict({name: factories[name](channels, stride) for name in candidates})

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        terms: list[Tensor] = [
            weight * op(x) for weight, op in zip(row, self.ops.values(), strict=True) if weight.item() != 0
        ]
        return sum(terms[1:], start=terms[0])


class Supernet(nn.Module, ABC):
    """Blocks by name, pooling, classifier; and alpha, one per edge."""

    def __init__(self, blocks: Mapping[str, nn.Module], features: int, allowed: Allowed, classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict(blocks)
        self.classifier = nn.Linear(features, classes)
        self.alphas = nn.ParameterDict({edge: 1e-3 * torch.randn(len(names)) for edge, names in allowed.items()})

    @abstractmethod
    def features(self, images: Tensor, rows: Rows) -> Tensor:
        """What the blocks come to, the operations weighted by `rows`."""

    @abstractmethod
    def mixed(self, edge: str) -> list[nn.Module]:
        """The edge in every cell that has it."""

    def forward(self, images: Tensor, rows: Rows) -> Tensor:
        """Logits [n, classes]."""
        pooled = nn.functional.adaptive_avg_pool2d(self.features(images, rows), 1)
        logits: Tensor = self.classifier(pooled.flatten(1))
        return logits

    def weights(self) -> list[nn.Parameter]:
        """All that is trained but alpha."""
        return [*self.blocks.parameters(), *self.classifier.parameters()]

    def softmax(self) -> Rows:
        return {edge: alpha.softmax(dim=0) for edge, alpha in self.alphas.items()}

    def loss(self, batch: Batch, rows: Rows) -> Tensor:
        images, labels = batch
        return cross_entropy(self(images, rows), labels)


def own_name(name: str) -> str:
    """What a parameter of `cleave.net.Network` is called here."""
    return name.replace(".op.", ".")


def copy_weights(source: Network, target: Supernet) -> None:
    """The weights of cleave's network, by name; each must have its place."""
    own = {name: weight for name, weight in target.named_parameters() if not name.startswith("alphas.")}
    theirs = {own_name(name): weight for name, weight in source.named_parameters()}
    assert own.keys() == theirs.keys()
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(theirs[name])


def rows_of(gates: Gates, allowed: Allowed) -> Rows:
    """Gates as published code has them: a weight for every operation, zero where it does not run."""
    return {edge: row_of(gates[edge], names) for edge, names in allowed.items()}


def row_of(gate: Gate, names: Sequence[str]) -> Tensor:
    weight = torch.ones(len(gate.active)) if gate.weight is None else gate.weight
    places = torch.tensor([names.index(name) for name in gate.active])
    return weight.new_zeros(len(names)).scatter(0, places, weight)
