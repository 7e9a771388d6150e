"""A toy of each kind of space: DARTS cells, with and without edges left out, MobileNet layers, elastic ones, cells64.

Each is data and a few operations, registered from outside the package: no new loop, no new network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import combinations, groupby, product
from typing import ClassVar

from torch import Tensor, nn

from cleave.ops import Norm, Operation, operation, relu_conv_bn, separable
from cleave.space import Arch, Auxiliary, Cell, Choice, Fixed, Head, Layer, Layout, Link, NetworkSize, Region, Space
from cleave.space.layout import Block
from cleave.space.registry import SPACES
from tests.elastic import ToyElastic


class NamedSpace(Space):
    """Architectures written as choice=candidate, joined by spaces."""

    paper_size = NetworkSize(4, 1)

    def format(self, arch: Arch) -> str:
        return " ".join(f"{choice.name}={arch[choice.name]}" for choice in self.choices if choice.name in arch)

    def parse(self, text: str) -> Arch:
        return dict(part.split("=") for part in text.split())


@operation("toy_reduce")
def _reduce(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    """What makes strides searchable on cell edges: keeps the channels, may halve the size."""
    return nn.AvgPool2d(stride) if stride > 1 else nn.Identity()


@operation("toy_sep_conv")
def _sep_conv(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    depthwise = nn.Conv2d(channels_in, channels_in, 3, stride, padding=1, groups=channels_in, bias=False)
    pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)
    return nn.Sequential(nn.ReLU(), depthwise, pointwise, norm(channels_out))


@operation("toy_preprocess")
def _preprocess(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return relu_conv_bn(channels_in, channels_out, stride, norm, kernel=1)


@operation("toy_preprocess_halving")
def _halve(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return relu_conv_bn(channels_in, channels_out, 2, norm, kernel=1)


def _inverted(expand: int, kernel: int) -> None:
    @operation(f"toy_mb{kernel}_e{expand}")
    def make(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
        middle = channels_in * expand
        return nn.Sequential(
            nn.Conv2d(channels_in, middle, 1, bias=False),
            norm(middle),
            nn.ReLU6(),
            nn.Conv2d(middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False),
            norm(middle),
            nn.ReLU6(),
            nn.Conv2d(middle, channels_out, 1, bias=False),
            norm(channels_out),
        )


for _expand in (1, 2):
    for _kernel in (3, 5):
        _inverted(_expand, _kernel)


class ToyDarts(NamedSpace):
    """Two-input cells of two nodes, a normal and a reduction cell with choices of their own."""

    name = "toydarts"
    pairs = ((2, 0), (2, 1), (3, 0), (3, 1), (3, 2))

    def __init__(self) -> None:
        names = [f"{kind}/{target}<-{source}" for kind in ("normal", "reduce") for target, source in self.pairs]
        self.choices = tuple(Choice(name, ("toy_reduce", "toy_sep_conv")) for name in names)

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        width = size.channels
        blocks: list[tuple[str, Block]] = [("stem", Fixed("conv_3x3_bn", image_channels, 3 * width))]
        before, last, halved = 3 * width, 3 * width, False
        for number, kind in enumerate(("normal", "reduce", "normal")):
            width = 2 * width if kind == "reduce" else width
            first = "toy_preprocess_halving" if halved else "toy_preprocess"
            stride = 2 if kind == "reduce" else 1
            links = tuple(
                Link(f"{kind}/{target}<-{source}", source, target, stride if source < 2 else 1)
                for target, source in self.pairs
            )
            cell = Cell(
                width, links, outputs=(2, 3), inputs=2,
                preprocess=(first, "toy_preprocess"), channels_in=(before, last),
            )  # fmt: skip
            blocks.append((f"cell{number}", cell))
            before, last, halved = last, 2 * width, kind == "reduce"
        return Layout(tuple(blocks), features=2 * width, ends=("stem", "classifier"))


class ToyDropping(ToyDarts):
    """The same, of which an architecture keeps two edges into every node."""

    name = "toydropping"
    kept = 2

    def valid(self, arch: Arch) -> bool:
        return all(sum(name in arch for name in names) == self.kept for names in self.nodes())

    def nodes(self) -> list[list[str]]:
        """The choices that lead into each node."""
        names = [choice.name for choice in self.choices]
        return [list(each) for _, each in groupby(names, key=lambda name: name.partition("<-")[0])]

    def parts(self, region: Region) -> list[list[Arch]]:
        return [
            [
                dict(zip(pair, candidates, strict=True))
                for pair in combinations(names, self.kept)
                for candidates in product(*(region.allowed.get(name, ()) for name in pair))
            ]
            for names in self.nodes()
        ]

    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        """The two edges whose strongest candidate is strongest, each with that one."""
        strongest = {name: float(weights[name].max()) * len(allowed) for name, allowed in region.allowed.items()}
        kept = {
            name for names in self.nodes() for name in sorted(names, key=lambda each: -strongest[each])[: self.kept]
        }
        return {name: allowed[int(weights[name].argmax())] for name, allowed in region.allowed.items() if name in kept}


class ToyMobileNet(NamedSpace):
    """A chain of layers, each a choice of kernel and expansion."""

    name = "toymobilenet"

    def __init__(self) -> None:
        names = tuple(f"toy_mb{kernel}_e{expand}" for expand in (1, 2) for kernel in (3, 5))
        self.choices = tuple(Choice(f"layer{i}", names) for i in range(3))

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        width = size.channels
        blocks: tuple[tuple[str, Block], ...] = (
            ("stem", Fixed("conv_3x3_bn", image_channels, width)),
            ("layer0", Layer("layer0", width, 2 * width, stride=2)),
            ("layer1", Layer("layer1", 2 * width, 2 * width)),
            ("layer2", Layer("layer2", 2 * width, 3 * width, stride=2)),
            ("last", Fixed("bn_relu", 3 * width, 3 * width)),
        )
        return Layout(blocks, features=3 * width)


class Islands(ToyMobileNet):
    """Of which architectures of equal layers alone are valid, so that no single change leads from one to another."""

    name = "islands"

    def valid(self, arch: Arch) -> bool:
        return len(set(arch.values())) == 1

    def holds_valid(self, region: Region) -> bool:
        return bool(set.intersection(*map(set, region.allowed.values())))


class ToyCells64(NamedSpace):
    """One-input cells with a preprocessing step and concatenated nodes, the same three choices in every cell."""

    name = "toycells64"

    def __init__(self) -> None:
        names = ("toy_reduce", "toy_sep_conv", "nor_conv_1x1", "avg_pool_3x3")
        self.choices = tuple(Choice(name, names) for name in ("O01", "O02", "O12"))

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        width = size.channels
        links = (Link("O01", 0, 1), Link("O02", 0, 2), Link("O12", 1, 2))
        blocks: list[tuple[str, Block]] = [("stem", Fixed("conv_3x3_bn", image_channels, 3 * width))]
        for number in range(2):
            entry = 3 * width if number == 0 else 2 * width
            cell = Cell(width, links, outputs=(1, 2), preprocess=("toy_preprocess",), channels_in=(entry,))
            blocks.append((f"cell{number}", cell))
        return Layout(tuple(blocks), features=2 * width, ends=("stem",))


def _pool_bn(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(channels_out))


def _skip(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    """An identity, or where the size is halved a convolution."""
    return nn.Identity() if stride == 1 else relu_conv_bn(channels_in, channels_out, stride, norm, kernel=1)


def _mix(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.Hardswish())


def _auxiliary(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    conv = nn.Conv2d(channels_in, channels_out, 1, bias=False)
    return nn.Sequential(nn.ReLU(), nn.AvgPool2d(2), conv, norm(channels_out), nn.ReLU())


def _darts_auxiliary(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    """That of the retraining of DARTS on images of 32 x 32 pixels."""
    first = nn.Sequential(nn.Conv2d(channels_in, 128, 1, bias=False), norm(128), nn.ReLU())
    second = nn.Sequential(nn.Conv2d(128, channels_out, 2, bias=False), norm(channels_out), nn.ReLU())
    return nn.Sequential(nn.ReLU(), nn.AvgPool2d(5, stride=3, count_include_pad=False), *first, *second)


DARTS_AUXILIARY = {"darts_auxiliary": Operation(_darts_auxiliary)}


class ToyHead(NamedSpace):
    """Cells of operations of the space's own, under a head with a hidden layer and dropout, and an auxiliary head."""

    name = "toyhead"
    pairs = ((1, 0), (2, 0), (2, 1))
    operations: ClassVar[dict[str, Operation]] = {
        "skip_connect": Operation(_skip, identity=True),
        "avg_pool_3x3": Operation(_pool_bn),
        "sep_conv": Operation(partial(separable, kernel=3)),
        "mix": Operation(_mix),
        "auxiliary": Operation(_auxiliary),
    }

    def __init__(self) -> None:
        names = [f"{kind}/{target}<-{source}" for kind in ("normal", "reduce") for target, source in self.pairs]
        self.choices = tuple(Choice(name, ("skip_connect", "avg_pool_3x3", "sep_conv")) for name in names)

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        width = size.channels
        blocks: list[tuple[str, Block]] = [("stem", Fixed("conv_3x3_bn", image_channels, width))]
        for number, kind in enumerate(("normal", "reduce")):
            links = tuple(
                Link(f"{kind}/{target}<-{source}", source, target, 2 if kind == "reduce" and source == 0 else 1)
                for target, source in self.pairs
            )
            entry = (width if number == 0 else 2 * width,)
            blocks.append((f"cell{number}", Cell(width, links, (1, 2), 1, ("nor_conv_1x1",), entry)))
        return Layout(
            tuple(blocks),
            features=2 * width,
            ends=("stem", "head", "classifier", "auxiliary"),
            head=Head((Fixed("mix", 2 * width, 3 * width),), dropout=0.2),
            auxiliary=Auxiliary("cell0", "auxiliary", 2 * width, 6),
            operations=self.operations,
            norm=Norm(eps=1e-3),
        )


TOYS = (ToyDarts, ToyDropping, ToyMobileNet, ToyCells64, ToyElastic, ToyHead)


@contextmanager
def toys_known() -> Iterator[None]:
    """Meanwhile the toys can be named in a recipe, as a new space could."""
    for toy in TOYS:
        SPACES[toy.name] = toy
    try:
        yield
    finally:
        for toy in TOYS:
            del SPACES[toy.name]
