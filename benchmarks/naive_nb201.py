"""The supernet of NAS-Bench-201 (Dong & Yang, 2020) the published way."""

from __future__ import annotations

from torch import Tensor, nn

from benchmarks.naive import Allowed, Factories, MixedEdge, Rows, Supernet, batch_norm, relu_conv_bn

NODES = 4


class Zero(nn.Module):
    """`none`, as a multiplication by zero."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mul(0.0)


OPERATIONS: Factories = {
    "none": lambda channels, stride: Zero(),
    "skip_connect": lambda channels, stride: nn.Identity(),
    "nor_conv_1x1": lambda channels, stride: relu_conv_bn(channels, channels, 1),
    "nor_conv_3x3": lambda channels, stride: relu_conv_bn(channels, channels, 3),
    "avg_pool_3x3": lambda channels, stride: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
}


class Cell(nn.Module):
    """Four nodes, each the sum of the edges from all before it."""

    def __init__(self, channels: int, allowed: Allowed) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({edge: MixedEdge(OPERATIONS, names, channels) for edge, names in allowed.items()})

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


class Nb201Supernet(Supernet):
    """Stem, three stages of cells with reductions in between."""

    def __init__(self, channels: int, cells: int, allowed: Allowed, classes: int, image_channels: int = 3) -> None:
        stem = nn.Conv2d(image_channels, channels, 3, padding=1, bias=False)
        blocks: dict[str, nn.Module] = {"stem": nn.Sequential(stem, batch_norm(channels, affine=True))}
        for stage, width in enumerate([channels, 2 * channels, 4 * channels]):
            if stage:
                blocks[f"reduce{stage}"] = Reduction(width // 2, width)
            for number in range(cells):
                blocks[f"cell{stage}_{number}"] = Cell(width, allowed)
        blocks["last"] = nn.Sequential(batch_norm(4 * channels, affine=True), nn.ReLU())
        super().__init__(blocks, 4 * channels, allowed, classes)

    def mixed(self, edge: str) -> list[nn.Module]:
        return [block.edges[edge] for block in self.blocks.values() if isinstance(block, Cell)]

    def features(self, images: Tensor, rows: Rows) -> Tensor:
        x = images
        for block in self.blocks.values():
            x = block(x, rows) if isinstance(block, Cell) else block(x)
        return x
