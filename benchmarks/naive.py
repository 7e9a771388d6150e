"""The supernet of NAS-Bench-201 the way published code writes it: plain, and slow.

This is what cleave is measured against. It was written from descriptions of DARTS (Liu et al. 2019), NAS-Bench-201
(Dong & Yang 2020) and GM-NAS, and follows their releases in what they compute: one module per operation and edge.
"""

from __future__ import annotations

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

NODES = 4


class Zero(nn.Module):
    """`none`, as a multiplication by zero."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mul(0.0)


def relu_conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1, affine: bool = False) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out, affine=affine, track_running_stats=False),
    )


OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: Zero(),
    "skip_connect": lambda channels: nn.Identity(),
    "nor_conv_1x1": lambda channels: relu_conv_bn(channels, channels, 1),
    "nor_conv_3x3": lambda channels: relu_conv_bn(channels, channels, 3),
    "avg_pool_3x3": lambda channels: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
}


class MixedEdge(nn.Module):
    """The weighted sum of an edge's operations; what has weight 0 does not run."""

    def __init__(self, channels: int, candidates: Sequence[str]) -> None:
        super().__init__()
        self.ops = nn.ModuleDict({name: OPERATIONS[name](channels) for name in candidates})

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        terms: list[Tensor] = [
            weight * op(x) for weight, op in zip(row, self.ops.values(), strict=True) if weight.item() != 0
        ]
        return sum(terms[1:], start=terms[0])


class Cell(nn.Module):
    """Four nodes, each the sum of the edges from all before it."""

    def __init__(self, channels: int, allowed: Allowed) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({edge: MixedEdge(channels, names) for edge, names in allowed.items()})

    def forward(self, x: Tensor, rows: Rows) -> Tensor:
        nodes = [x]
        for target in range(1, NODES):
            edges = [(f"{target}<-{source}", node) for source, node in enumerate(nodes)]
            terms: list[Tensor] = [self.edges[edge](node, rows[edge]) for edge, node in edges]
            nodes.append(sum(terms[1:], start=terms[0]))
        return nodes[-1]


class Reduction(nn.Module):
    """The residual block between stages: half the size, twice the channels."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            relu_conv_bn(channels_in, channels_out, 3, stride=2, affine=True),
            relu_conv_bn(channels_out, channels_out, 3, affine=True),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, stride=2), nn.Conv2d(channels_in, channels_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.body(x)
        return out


def normalisation(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, track_running_stats=False)


class Supernet(nn.Module):
    """Stem, three stages of cells with reductions in between, pooling, classifier; and alpha, one per edge."""

    def __init__(self, channels: int, cells: int, allowed: Allowed, classes: int, image_channels: int = 3) -> None:
        super().__init__()
        stem = nn.Conv2d(image_channels, channels, 3, padding=1, bias=False)
        self.blocks = nn.ModuleDict({"stem": nn.Sequential(stem, normalisation(channels))})
        for stage, width in enumerate([channels, 2 * channels, 4 * channels]):
            if stage:
                self.blocks[f"reduce{stage}"] = Reduction(width // 2, width)
            for number in range(cells):
                self.blocks[f"cell{stage}_{number}"] = Cell(width, allowed)
        self.blocks["last"] = nn.Sequential(normalisation(4 * channels), nn.ReLU())
        self.classifier = nn.Linear(4 * channels, classes)
        self.alphas = nn.ParameterDict({edge: 1e-3 * torch.randn(len(names)) for edge, names in allowed.items()})

    def forward(self, images: Tensor, rows: Rows) -> Tensor:
        """Logits [n, classes] with the operations weighted by `rows`."""
        x = images
        for block in self.blocks.values():
            x = block(x, rows) if isinstance(block, Cell) else block(x)
        logits: Tensor = self.classifier(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))
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
