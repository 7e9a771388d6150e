"""The supernet of DARTS (Liu et al., 2019) the published way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.naive import Allowed, Factories, MixedEdge, Rows, Supernet, batch_norm, relu_conv_bn

NODES = (2, 3, 4, 5)
"""After the two inputs; a cell gives all four."""
STEM = 3


class Halving(nn.Module):
    """Half the size by two strided 1x1 convolutions, the second of the image shifted by one pixel."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(channels_in, channels_out // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out // 2, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1)


def factorized_reduce(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), Halving(channels_in, channels_out), batch_norm(channels_out))


def depthwise(channels: int, stride: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
    """ReLU, a convolution of every channel by itself, a 1x1 convolution, batch norm."""
    reach = dilation * (kernel // 2)
    each = nn.Conv2d(channels, channels, kernel, stride, reach, dilation, groups=channels, bias=False)
    return [nn.ReLU(), each, nn.Conv2d(channels, channels, 1, bias=False), batch_norm(channels)]


def separable(channels: int, stride: int, kernel: int) -> nn.Module:
    return nn.Sequential(*depthwise(channels, stride, kernel), *depthwise(channels, 1, kernel))


def dilated(channels: int, stride: int, kernel: int) -> nn.Module:
    return nn.Sequential(*depthwise(channels, stride, kernel, dilation=2))


def pooled(channels: int, stride: int, pool: Callable[..., nn.Module]) -> nn.Module:
    return nn.Sequential(pool(3, stride=stride, padding=1), batch_norm(channels))


OPERATIONS: Factories = {
    "max_pool_3x3": partial(pooled, pool=nn.MaxPool2d),
    "avg_pool_3x3": partial(pooled, pool=partial(nn.AvgPool2d, count_include_pad=False)),
    "skip_connect": lambda channels, stride: nn.Identity() if stride == 1 else factorized_reduce(channels, channels),
    "sep_conv_3x3": partial(separable, kernel=3),
    "sep_conv_5x5": partial(separable, kernel=5),
    "dil_conv_3x3": partial(dilated, kernel=3),
    "dil_conv_5x5": partial(dilated, kernel=5),
}


class Cell(nn.Module):
    """Two inputs and four nodes, each the sum of the edges from all before it; a reduction halves its inputs."""

    def __init__(self, before: int, last: int, channels: int, kind: str, halved: bool, allowed: Allowed) -> None:
        super().__init__()
        self.kind = kind
        first = factorized_reduce(before, channels) if halved else relu_conv_bn(before, channels, 1)
        self.preprocess = nn.ModuleList([first, relu_conv_bn(last, channels, 1)])
        self.edges = nn.ModuleDict()
        for node in NODES:
            for source in range(node):
                stride = 2 if kind == "reduce" and source < 2 else 1
                names = allowed[f"{kind}/{node}<-{source}"]
                self.edges[f"{node}<-{source}"] = MixedEdge(OPERATIONS, names, channels, stride)

    def forward(self, before: Tensor, last: Tensor, rows: Rows) -> Tensor:
        nodes: list[Tensor] = [self.preprocess[0](before), self.preprocess[1](last)]
        for node in NODES:
            terms: list[Tensor] = [
                self.edges[f"{node}<-{source}"](x, rows[f"{self.kind}/{node}<-{source}"])
                for source, x in enumerate(nodes)
            ]
            nodes.append(sum(terms[1:], start=terms[0]))
        return torch.cat(nodes[2:], dim=1)


class DartsSupernet(Supernet):
    """A stem, then cells, of which those after a third and two thirds halve the size."""

    def __init__(self, channels: int, cells: int, allowed: Allowed, classes: int, image_channels: int = 3) -> None:
        width, before, last, halved = channels, STEM * channels, STEM * channels, False
        stem = nn.Conv2d(image_channels, last, 3, padding=1, bias=False)
        blocks: dict[str, nn.Module] = {"stem": nn.Sequential(stem, batch_norm(last, affine=True))}
        for number in range(cells):
            halves = number in (cells // 3, 2 * cells // 3)
            width = 2 * width if halves else width
            blocks[f"cell{number}"] = Cell(before, last, width, "reduce" if halves else "normal", halved, allowed)
            before, last, halved = last, len(NODES) * width, halves
        super().__init__(blocks, last, allowed, classes)

    def mixed(self, edge: str) -> list[nn.Module]:
        kind, _, place = edge.partition("/")
        cells = [block for block in self.blocks.values() if isinstance(block, Cell)]
        return [cell.edges[place] for cell in cells if cell.kind == kind]

    def features(self, images: Tensor, rows: Rows) -> Tensor:
        stem, *cells = self.blocks.values()
        before: Tensor = stem(images)
        last = before
        for cell in cells:
            before, last = last, cell(before, last, rows)
        return last
