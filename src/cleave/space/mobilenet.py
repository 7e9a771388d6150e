"""The space of ProxylessNAS (Cai et al., 2019): a chain of inverted residual blocks, each of a kernel and an expansion.

Facts of the released code: batch normalisation with eps 1e-3, and no choice beside the six that keep a block, but for
blocks that keep the shape, which may be left out (Zero).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field
from torch import nn

from cleave.errors import UserError, shown, unknown
from cleave.ops import Norm, Operation
from cleave.ops.mobile import activated, inverted, stages, whole
from cleave.settings import SpaceSettings
from cleave.space.choice import Arch, Choice
from cleave.space.layout import Block, Fixed, Layer, Layout
from cleave.space.space import Space, offered

OPERATIONS = ("3x3_e3", "3x3_e6", "5x5_e3", "5x5_e6", "7x7_e3", "7x7_e6")
"""Kernel and expansion, in the published order."""
ZERO = "zero"
"""The block is left out. It is offered where a block keeps the shape, behind the others."""
NORM = Norm(momentum=0.1, eps=1e-3)


class Backbone(NamedTuple):
    """Channels at a width of 1: of the stem, the first block, the six stages, the last convolution."""

    stem: int
    first: int
    stages: tuple[int, ...]
    last: int


BACKBONES = {
    "proxyless": Backbone(32, 16, (24, 40, 80, 96, 192, 320), 1280),
    "proxyless-gpu": Backbone(40, 24, (32, 56, 112, 128, 256, 432), 1728),
}
"""That of the search, and the wider one of the published network for GPUs."""
BLOCKS = (4, 4, 4, 4, 4, 1)
"""Of each stage, the first of which changes the shape."""
STRIDES = {"imagenet": (2, 2, 2, 2, 1, 2, 1), "cifar": (1, 1, 2, 2, 1, 2, 1)}
"""Of the stem, then of each stage's first block. cifar: for images of 32 pixels, which end as 4 x 4."""


class MobileNetSettings(SpaceSettings):
    """The published search has a width of 1 and images of 224 pixels."""

    smaller = ("width",)
    name: str = "mobilenet-proxyless"
    # Which operations; null: all. zero is offered only where a block keeps the shape.
    ops: int | list[str] | None = None
    width: Annotated[float, Field(gt=0, le=10)] = 0.25  # a factor of all channels, which are then multiples of 8
    backbone: Literal["proxyless", "proxyless-gpu"] = "proxyless"  # the channels at a width of 1
    stem: Literal["cifar", "imagenet"] = "cifar"  # imagenet: the image is halved twice more, for 64 pixels and above


def block(channels_in: int, channels_out: int, stride: int, norm: Norm, kernel: int, expansion: int) -> nn.Module:
    return inverted((channels_in, channels_out, stride), channels_in * expansion, kernel, norm)


def nothing(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return nn.Identity()


OWN = {
    **{name: Operation(partial(block, kernel=int(name[0]), expansion=int(name[-1]))) for name in OPERATIONS},
    ZERO: Operation(nothing, identity=True),
    "first_block": Operation(partial(block, kernel=3, expansion=1)),
    "mobile_stem": Operation(partial(activated, kernel=3)),
    "mobile_last": Operation(partial(activated, kernel=1)),
}


class MobileNetProxyless(Space):
    """21 blocks; an architecture is written as their operations in order, as in 3x3_e6 zero 5x5_e3 ..."""

    name = "mobilenet-proxyless"
    settings_class = MobileNetSettings
    paper_size = MobileNetSettings(width=1.0, stem="imagenet")
    paper_image_size, paper_classes = 224, 1000

    def __init__(self, settings: MobileNetSettings | None = None) -> None:
        self.settings = settings or MobileNetSettings()
        known = (*OPERATIONS, ZERO)
        self.offered = offered(self.settings.ops, known, fewer={6: OPERATIONS})
        if len(set(self.offered) - {ZERO}) < 2:
            raise UserError(f"space.ops: block1 would have no choice; give two or more operations beside {ZERO}")
        self.choices = tuple(
            Choice(name, self.offered if keeps else tuple(op for op in self.offered if op != ZERO))
            for name, keeps in block_names()
        )

    @classmethod
    def from_settings(cls, settings: MobileNetSettings) -> MobileNetProxyless:
        return cls(settings)

    def asked(self) -> Mapping[str, Any]:
        return {"ops": list(self.offered)}

    def smallest_side(self, size: MobileNetSettings) -> int:
        return prod(STRIDES[size.stem])

    def layout(self, size: MobileNetSettings, image_channels: int) -> Layout:
        """Stem, a fixed block, six stages, a 1x1 convolution."""
        backbone, (first_stride, *strides) = BACKBONES[size.backbone], STRIDES[size.stem]
        stem, first, *widths = (whole(size.width * each) for each in (backbone.stem, backbone.first, *backbone.stages))
        last = whole(max(size.width, 1.0) * backbone.last)
        blocks: list[tuple[str, Block]] = [
            ("stem", Fixed("mobile_stem", image_channels, stem, first_stride)),
            ("block0", Fixed("first_block", stem, first)),
        ]
        shapes = stages(first, widths, strides, BLOCKS)
        blocks += [
            (choice.name, Layer(choice.name, *shape)) for choice, shape in zip(self.choices, shapes, strict=True)
        ]
        blocks.append(("last", Fixed("mobile_last", widths[-1], last)))
        ends = ("stem", "block0", "last", "classifier")
        return Layout(tuple(blocks), last, ends, operations=OWN, norm=NORM, supernet_norm=NORM)

    def format(self, arch: Arch) -> str:
        return " ".join(arch[choice.name] for choice in self.choices)

    def parse(self, text: str) -> Arch:
        """The architecture of 21 operations; UserError where they are fewer, or one is not offered in its place."""
        names = text.split()
        if len(names) != len(self.choices):
            raise UserError(f"architecture {shown(text)}: has {len(names)} operations, not one for each of 21 blocks")
        for choice, name in zip(self.choices, names, strict=True):
            if name not in choice.candidates:
                raise unknown(f"architecture {shown(text)}, {choice.name}", name, choice.candidates)
        return dict(zip((choice.name for choice in self.choices), names, strict=True))


def block_names() -> Iterator[tuple[str, bool]]:
    """The searched blocks from block1 on, and whether they keep the shape."""
    firsts = [number == 0 for count in BLOCKS for number in range(count)]
    return ((f"block{number}", not first) for number, first in enumerate(firsts, start=1))
