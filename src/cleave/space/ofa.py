"""The space of Once-for-All (Cai et al., 2020): MobileNetV3 with elastic kernels, expansions and depths.

Facts of the released code: the blocks of a unit are its first ones, a fixed block comes in front of them, the layer
behind the pooling has neither normalisation nor bias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate, product
from math import prod
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from cleave.errors import UserError, shown, unknown
from cleave.ops import Conv2d, Norm, Operation
from cleave.ops.mobile import ACTIVATIONS, activated, inverted, stages, whole
from cleave.settings import SpaceSettings
from cleave.space.choice import Arch, Choice, joined
from cleave.space.elastic import Elastic, numbers, size_of
from cleave.space.layout import Block, Fixed, Head, Layout
from cleave.space.region import Region
from cleave.space.space import Space, pick

NORM = Norm(momentum=0.1, eps=1e-5)


class Unit(NamedTuple):
    """Blocks of one size: channels at a width of 1, squeeze-and-excitation, activation."""

    channels: int
    squeeze: bool
    activation: str


UNITS = (
    Unit(24, False, "relu"),
    Unit(40, True, "relu"),
    Unit(80, False, "h_swish"),
    Unit(112, True, "h_swish"),
    Unit(160, True, "h_swish"),
)
FIRST, LAST, PENULTIMATE = 16, 960, 1280
"""Channels at a width of 1: of the stem and the fixed block, behind the units, behind the pooling."""
STRIDES = {"imagenet": (2, 2, 2, 2, 1, 2), "cifar": (1, 1, 2, 2, 1, 2)}
"""Of the stem, then of each unit's first block. cifar: for images of 32 pixels, which end as 4 x 4."""
KERNELS, EXPANSIONS, DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
"""The published ones."""
MOST = 4
"""Blocks in a unit; there may be one alone."""


SplitOn = Annotated[tuple[Literal["kernel", "expand", "depth"], ...], Field(min_length=1)]


class OfaSettings(SpaceSettings):
    """The published networks have a width of 1 or 1.2 and images of 128 to 224 pixels."""

    smaller = ("width",)
    name: str = "mobilenet-ofa"
    width: Annotated[float, Field(gt=0, le=10)] = 0.25  # a factor of all channels, which are then multiples of 8
    stem: Literal["cifar", "imagenet"] = "cifar"  # imagenet: the image is halved twice more, for 64 pixels and above
    kernels: tuple[int, ...] = KERNELS  # sides in pixels
    expansions: tuple[int, ...] = EXPANSIONS  # channels in the middle of a block, as a factor of those that go in
    depths: tuple[int, ...] = DEPTHS  # blocks in a unit
    joined: bool = False  # kernel and expansion of a block are one choice, as in k5_e4
    split_on: SplitOn = ("kernel",)  # the choices that a splitter may split
    head_bias: bool = False  # of the layer behind the pooling, as MobileNetV3 has it elsewhere


def penultimate(channels_in: int, channels_out: int, stride: int, norm: Norm, bias: bool) -> nn.Module:
    """The layer behind the pooling."""
    return nn.Sequential(Conv2d(channels_in, channels_out, 1, bias=bias), ACTIVATIONS.find("h_swish")())


def first_block(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return inverted((channels_in, channels_out, stride), channels_in, 3, norm, "relu")


OWN = {
    "v3_stem": Operation(partial(activated, kernel=3, activation="h_swish")),
    "v3_first": Operation(first_block),
    "v3_last": Operation(partial(activated, kernel=1, activation="h_swish")),
    "v3_head": Operation(partial(penultimate, bias=False)),
    "v3_head_bias": Operation(partial(penultimate, bias=True)),
}


class Names(NamedTuple):
    """The choices of a block; kernel and expand may be the same one."""

    kernel: str
    expand: str


class MobileNetOfa(Space):
    """Five units of up to four blocks; an architecture is written unit by unit, as in k7_e4 k3_e6 | k5_e3 ... | ..."""

    name = "mobilenet-ofa"
    elastic = True
    pretrained = "mobilenetv3_large_100"
    statistics = "forgetting"
    settings_class = OfaSettings
    paper_size = OfaSettings(width=1.2, stem="imagenet")
    paper_image_size, paper_classes = 224, 1000

    def __init__(self, settings: OfaSettings | None = None) -> None:
        self.settings = settings or OfaSettings()
        for key, known in (("kernels", KERNELS), ("expansions", EXPANSIONS), ("depths", range(1, MOST + 1))):
            check(key, getattr(self.settings, key), known)
        self.blocks_each = max(self.settings.depths)
        self.choices = tuple(choice for unit in range(len(UNITS)) for choice in self._of_unit(unit))
        if not any(len(choice.candidates) > 1 for choice in self.choices):
            raise UserError("space.kernels, expansions, depths: one of each is no space; give several of one at least")

    def _of_unit(self, unit: int) -> list[Choice]:
        """The depth, then kernel and expansion of every block."""
        settings = self.settings
        kernels, expansions = [f"k{side}" for side in settings.kernels], [f"e{by}" for by in settings.expansions]
        found = [Choice(depth_of(unit), tuple(f"d{depth}" for depth in settings.depths))]
        for number in range(self.blocks_each):
            names = self.names(unit, number)
            if settings.joined:
                found.append(Choice(names.kernel, tuple(map("_".join, product(kernels, expansions)))))
            else:
                found += [Choice(names.kernel, tuple(kernels)), Choice(names.expand, tuple(expansions))]
        return found

    def names(self, unit: int, number: int) -> Names:
        """Of a block of a unit, both from 0. They are told from 1."""
        block = unit * self.blocks_each + number + 1
        joined = self.settings.joined
        return Names(f"block{block}", f"block{block}") if joined else Names(f"kernel{block}", f"expand{block}")

    @classmethod
    def from_settings(cls, settings: OfaSettings) -> MobileNetOfa:
        return cls(settings)

    def asked(self) -> Mapping[str, Any]:
        return self.settings.model_dump(include={"kernels", "expansions", "depths", "joined", "split_on"})

    @property
    def splittable(self) -> tuple[Choice, ...]:
        kinds = {"block", *self.settings.split_on} if {"kernel", "expand"} & set(self.settings.split_on) else {"depth"}
        return tuple(choice for choice in self.choices if choice.name.rstrip("0123456789") in kinds)

    def smallest_side(self, size: OfaSettings) -> int:
        return prod(STRIDES[size.stem])

    def layout(self, size: OfaSettings, image_channels: int) -> Layout:
        """Stem, a fixed block, five units, a 1x1 convolution; then pooling and the head."""
        first_stride, *strides = STRIDES[size.stem]
        first, last, penultimate = (whole(size.width * each) for each in (FIRST, LAST, PENULTIMATE))
        widths = [whole(size.width * unit.channels) for unit in UNITS]
        blocks: list[tuple[str, Block]] = [
            ("stem", Fixed("v3_stem", image_channels, first, first_stride)),
            ("block0", Fixed("v3_first", first, first)),
        ]
        shapes = stages(first, widths, strides, [self.blocks_each] * len(UNITS))
        blocks += [(f"block{block}", self._elastic(block, shape)) for block, shape in enumerate(shapes, start=1)]
        blocks.append(("last", Fixed("v3_last", widths[-1], last)))
        head = Head((Fixed("v3_head_bias" if size.head_bias else "v3_head", last, penultimate),), dropout=0.1)
        ends = ("stem", "block0", "last", "head", "classifier")
        return Layout(tuple(blocks), last, ends, head, operations=OWN, norm=NORM, supernet_norm=NORM)

    def _elastic(self, block: int, shape: tuple[int, int, int]) -> Elastic:
        """Block number `block`, counted from 1 over all units."""
        settings, (unit, number) = self.settings, divmod(block - 1, self.blocks_each)
        return Elastic(
            *self.names(unit, number),
            depth_of(unit),
            number,
            min(settings.depths),
            settings.kernels,
            settings.expansions,
            *shape,
            activation=UNITS[unit].activation,
            squeeze=UNITS[unit].squeeze,
        )

    def parts(self, region: Region) -> list[list[Arch]]:
        """Of each unit all depths with all ways to choose in its first blocks."""
        return [
            [joined([{depth_of(unit): depth}, *chosen]) for depth, ways in each for chosen in product(*ways)]
            for unit, each in enumerate(self._units(region))
        ]

    def count(self, region: Region) -> int:
        return prod(sum(prod(map(len, ways)) for _, ways in each) for each in self._units(region))

    def uniform(self, region: Region, generator: torch.Generator) -> Arch:
        found: list[Arch] = []
        for unit, each in enumerate(self._units(region)):
            counts = [prod(map(len, ways)) for _, ways in each]
            drawn = int(torch.randint(sum(counts), (), generator=generator))
            depth, ways = each[sum(drawn >= total for total in accumulate(counts))]
            found += [{depth_of(unit): depth}, *(pick(block, generator) for block in ways)]
        return joined(found)

    def _units(self, region: Region) -> list[list[tuple[str, list[list[Arch]]]]]:
        """Of each unit its depths, and with each the ways to choose in every block that then runs."""
        return [
            [(depth, [self._ways(unit, number, region) for number in range(numbers(depth)["d"])]) for depth in depths]
            for unit, depths in enumerate(region.allowed[depth_of(unit)] for unit in range(len(UNITS)))
        ]

    def _ways(self, unit: int, number: int, region: Region) -> list[Arch]:
        names = dict.fromkeys(self.names(unit, number))
        return [dict(zip(names, chosen, strict=True)) for chosen in product(*(region.allowed[name] for name in names))]

    def strengths(self, region: Region, weights: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        """Weights as a share of their choice's largest, so that what a shallow unit leaves out counts as nothing."""
        found = super().strengths(region, weights)
        return {
            choice: {name: each / (max(of.values()) or 1.0) for name, each in of.items()}
            for choice, of in found.items()
        }

    def completed(self, arch: Arch, region: Region) -> Arch:
        """The same in the deepest units, whose other blocks are as large as can be."""
        largest = {choice: max(allowed, key=size_of) for choice, allowed in region.allowed.items()}
        return {**largest, **arch, **{depth_of(unit): largest[depth_of(unit)] for unit in range(len(UNITS))}}

    def trimmed(self, chosen: Arch) -> Arch:
        """Without kernels and expansions of blocks behind a unit's depth."""
        running = [self.names(unit, number) for unit, depth in enumerate(depths(chosen)) for number in range(depth)]
        kept = {name for names in running for name in names} | {depth_of(unit) for unit in range(len(UNITS))}
        return {choice: candidate for choice, candidate in chosen.items() if choice in kept}

    def format(self, arch: Arch) -> str:
        return " | ".join(" ".join(blocks) for blocks in self._blocks(arch))

    def _blocks(self, arch: Arch) -> list[list[str]]:
        """Kernel and expansion of each block that runs, by unit."""
        names = [[self.names(unit, number) for number in range(depth)] for unit, depth in enumerate(depths(arch))]
        return [["_".join(dict.fromkeys((arch[each.kernel], arch[each.expand]))) for each in unit] for unit in names]

    def parse(self, text: str) -> Arch:
        """The architecture of five units; UserError where they are not, or one has what is not offered."""
        units = [unit.split() for unit in text.split("|")]
        if len(units) != len(UNITS):
            raise UserError(f"architecture {shown(text)}: has {len(units)} units, not {len(UNITS)} with | between them")
        known = {choice.name: choice.candidates for choice in self.choices}
        arch: dict[str, str] = {}
        for unit, blocks in enumerate(units):
            where = f"architecture {shown(text)}, unit {unit + 1}"
            if (depth := f"d{len(blocks)}") not in known[depth_of(unit)]:
                raise unknown(f"{where}: number of blocks", str(len(blocks)), map(str, self.settings.depths))
            arch[depth_of(unit)] = depth
            for number, block in enumerate(blocks):
                names = self.names(unit, number)
                given = [block] if self.settings.joined else block.split("_")
                if len(given) != len(set(names)):
                    raise UserError(f"{where}: {shown(block)} is no kernel and expansion, as in k5_e4")
                for name, candidate in zip(dict.fromkeys(names), given, strict=True):
                    if candidate not in known[name]:
                        raise unknown(f"{where}, {name}", candidate, known[name])
                    arch[name] = candidate
        return arch

    def draw(self, arch: Arch) -> str:
        """The blocks of each unit in a line."""
        return "\n".join(f"unit {number}: {' '.join(blocks)}" for number, blocks in enumerate(self._blocks(arch), 1))


def depth_of(unit: int) -> str:
    """The name of a unit's depth, the units counted from 0."""
    return f"depth{unit + 1}"


def depths(arch: Arch) -> list[int]:
    """The blocks of each unit."""
    return [numbers(arch[depth_of(unit)])["d"] for unit in range(len(UNITS))]


def check(key: str, given: Sequence[int], known: Sequence[int]) -> None:
    """UserError unless these are one or more of those that are known, in their order."""
    for each in given:
        if each not in known:
            raise unknown(f"space.{key}", str(each), map(str, known))
    if list(given) != sorted(set(given)) or not given:
        raise UserError(f"space.{key}={shown(list(given))}: give one or more different ones, the smallest first")
