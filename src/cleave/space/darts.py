"""The DARTS space (Liu et al., 2019): a normal and a reduction cell; an architecture keeps two edges into each node."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations, product
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor, nn

from cleave.errors import UserError, brief, shown, unknown
from cleave.ops import Conv2d, Norm, Operation, depthwise_bn
from cleave.ops.library import AveragePool, MaxPool, factorized_reduce
from cleave.settings import MOST, Positive, SpaceSettings
from cleave.space.choice import Arch, Choice
from cleave.space.layout import Auxiliary, Block, Cell, Fixed, Layout, Link
from cleave.space.region import Region
from cleave.space.space import Space, offered

OPERATIONS = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
)  # fmt: skip
KINDS = ("normal", "reduce")
NODES = (2, 3, 4, 5)
"""After the two inputs, 0 and 1; each takes from every one before it."""
KEPT = 2
"""Edges into a node that are left of a cell (Liu et al., section 2.4)."""
STEM = 3
"""The stem's channels, as a multiple of the first cells'."""
AUXILIARY = {"cifar": (3, 29), "imagenet": (2, 193)}
"""Of the auxiliary head, by stem: the stride of its pooling, and the side of the smallest images (pixels)."""


class DartsSpaceSettings(SpaceSettings):
    """The published search has 16 channels and 8 cells."""

    smaller = ("channels", "cells")
    name: str = "darts"
    ops: int | list[str] | None = None  # how many operations or which; null: the 7, 8: none too
    channels: Positive = 8  # of the first cells
    # In all; those after a third and two thirds of them halve the image. With fewer than 3 none would be normal.
    cells: Annotated[int, Field(strict=True, ge=3, le=MOST)] = 3
    # The two edges into a node are those whose strongest candidate is strongest. normalised: by its weight times the
    # number of candidates left, so that an edge that was split is not kept for that alone; released: by its weight.
    derivation: Literal["normalised", "released"] = "normalised"
    split_cells: Literal["both", "normal"] = "both"  # whose edges may be split (the released code: normal)
    # cifar: one convolution. imagenet: three that halve the image, so that cells begin at an eighth of its side.
    stem: Literal["cifar", "imagenet"] = "cifar"


def halving(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return factorized_reduce(channels_in, channels_out, norm)


def skip(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return nn.Identity() if stride == 1 else factorized_reduce(channels_in, channels_out, norm)


def pooling(channels_in: int, channels_out: int, stride: int, norm: Norm, pool: type[nn.Module]) -> nn.Module:
    """In a supernet, and what inherits from one, a normalisation follows; what is trained from scratch has none there,
    as published."""
    return pool(stride) if norm.affine and not norm.inherits else nn.Sequential(pool(stride), norm(channels_out))


def first_stem(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    """Two convolutions that halve the image, the first with half of the channels."""
    half = channels_out // 2
    first = [Conv2d(channels_in, half, 3, 2, padding=1, bias=False), norm(half), nn.ReLU()]
    return nn.Sequential(*first, Conv2d(half, channels_out, 3, 2, padding=1, bias=False), norm(channels_out))


def auxiliary(channels_in: int, channels_out: int, stride: int, norm: Norm, pool: int, normalised: bool) -> nn.Module:
    """What is in front of the auxiliary classifier, down to one pixel where images are of the published size."""
    last = [Conv2d(128, channels_out, 2, bias=False), *([norm(channels_out)] if normalised else []), nn.ReLU()]
    pooled = [nn.ReLU(), nn.AvgPool2d(5, pool, count_include_pad=False)]
    return nn.Sequential(*pooled, Conv2d(channels_in, 128, 1, bias=False), norm(128), nn.ReLU(), *last)


OWN = {
    "max_pool_3x3": Operation(partial(pooling, pool=MaxPool)),
    "avg_pool_3x3": Operation(partial(pooling, pool=AveragePool)),
    "skip_connect": Operation(skip, identity=True),
    "dil_conv_3x3": Operation(partial(depthwise_bn, kernel=3, dilation=2)),
    "halving": Operation(halving),
    "imagenet_stem": Operation(first_stem),
    "auxiliary_cifar": Operation(partial(auxiliary, pool=AUXILIARY["cifar"][0], normalised=True)),
    # Without the last normalisation, as in the published code, which says that it was left out by mistake.
    "auxiliary_imagenet": Operation(partial(auxiliary, pool=AUXILIARY["imagenet"][0], normalised=False)),
}
"""The others are those that every space may use."""


class Darts(Space):
    """Choices are the edges of the two cells, as in normal/3<-1; an architecture names the 16 that it keeps.

    It is written in the notation of the published code: Genotype(normal=[('skip_connect', 0), ...], ...).
    """

    name = "darts"
    settings_class = DartsSpaceSettings
    paper_size = DartsSpaceSettings(channels=16, cells=8)

    def __init__(self, settings: DartsSpaceSettings | None = None) -> None:
        self.settings = settings or DartsSpaceSettings()
        known = ("none", *OPERATIONS)
        ops = OPERATIONS if self.settings.ops is None else self.settings.ops
        self.candidates = offered(ops, known, fewer={7: OPERATIONS})
        self.nodes = {
            (kind, node): [f"{kind}/{node}<-{source}" for source in range(node)] for kind in KINDS for node in NODES
        }
        self.choices = tuple(Choice(name, self.candidates) for names in self.nodes.values() for name in names)

    @classmethod
    def from_settings(cls, settings: DartsSpaceSettings) -> Darts:
        return cls(settings)

    def asked(self) -> Mapping[str, Any]:
        return self.settings.model_dump(include={"derivation", "split_cells"}) | {"ops": list(self.candidates)}

    @property
    def splittable(self) -> tuple[Choice, ...]:
        kinds = KINDS if self.settings.split_cells == "both" else KINDS[:1]
        return tuple(choice for choice in self.choices if choice.name.split("/")[0] in kinds)

    def layout(self, size: DartsSpaceSettings, image_channels: int) -> Layout:
        """The stem, then the cells, each of which sees the two before it."""
        width, stem = size.channels, self._stem(size, image_channels)
        blocks: list[tuple[str, Block]] = list(stem)
        before = last = stem[-1][1].channels_out
        halved = len(stem) > 1  # the second stem halves what the first gives
        for number in range(size.cells):
            kind = "reduce" if number in reductions(size) else "normal"
            width = 2 * width if kind == "reduce" else width
            first = "halving" if halved else "nor_conv_1x1"
            preprocess, channels_in = (first, "nor_conv_1x1"), (before, last)
            blocks.append((f"cell{number}", Cell(width, self._links(kind), NODES, 2, preprocess, channels_in)))
            before, last, halved = last, len(NODES) * width, kind == "reduce"
        return Layout(tuple(blocks), features=last, ends=(*dict(stem), "classifier"), operations=OWN)

    def _stem(self, size: DartsSpaceSettings, image_channels: int) -> list[tuple[str, Fixed]]:
        width = size.channels
        if size.stem == "cifar":
            return [("stem", Fixed("conv_3x3_bn", image_channels, STEM * width))]
        second = Fixed("nor_conv_3x3", width, width, stride=2, keeps=True)
        return [("stem0", Fixed("imagenet_stem", image_channels, width)), ("stem1", second)]

    def auxiliary(self, size: DartsSpaceSettings) -> Auxiliary:
        """As published for retraining: behind the second reduction cell."""
        _, smallest = AUXILIARY[size.stem]
        channels_in = 4 * len(NODES) * size.channels
        return Auxiliary(f"cell{max(reductions(size))}", f"auxiliary_{size.stem}", channels_in, 768, smallest)

    def _links(self, kind: str) -> tuple[Link, ...]:
        pairs = [(source, node) for node in NODES for source in range(node)]
        return tuple(
            Link(f"{kind}/{node}<-{source}", source, node, 2 if kind == "reduce" and source < 2 else 1)
            for source, node in pairs
        )

    def valid(self, arch: Arch) -> bool:
        """Two edges into every node, each with an operation."""
        kept = [[arch[name] for name in names if name in arch] for names in self.nodes.values()]
        return all(len(each) == KEPT and "none" not in each for each in kept)

    @property
    def all_valid(self) -> bool:
        return True

    def holds_valid(self, region: Region) -> bool:
        return all(self.parts(region))

    def parts(self, region: Region) -> list[list[Arch]]:
        """For each node every two edges into it, with every operation of each but none: so all are valid."""
        return [self._into(names, region) for names in self.nodes.values()]

    def _into(self, names: Sequence[str], region: Region) -> list[Arch]:
        edges = [[(name, op) for op in region.allowed.get(name, ()) if op != "none"] for name in names]
        return [dict(pair) for two in combinations(edges, KEPT) for pair in product(*two)]

    def strengths(self, region: Region, weights: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        """Weights, normalised where edges may have fewer operations than others."""
        factors = {
            name: len(allowed) if self.settings.derivation == "normalised" else 1
            for name, allowed in region.allowed.items()
        }
        found = super().strengths(region, weights)
        return {name: {op: factors[name] * each for op, each in ops.items()} for name, ops in found.items()}

    def derive(self, region: Region, weights: Mapping[str, Tensor]) -> Arch:
        """Into each node the two edges whose strongest operation is strongest; the first wins ties."""
        best: dict[str, tuple[float, str]] = {}
        for name, strengths in self.strengths(region, weights).items():
            found = [(strength, op) for op, strength in strengths.items() if op != "none"]
            if found:
                best[name] = max(found, key=lambda pair: pair[0])
        kept = [
            sorted((name for name in names if name in best), key=lambda name: -best[name][0])[:KEPT]
            for names in self.nodes.values()
        ]
        return {name: best[name][1] for names in kept for name in sorted(names)}

    def format(self, arch: Arch) -> str:
        """The published notation, the edges into a node in the order of their sources."""
        cells = []
        for kind in KINDS:
            names = [name for node in NODES for name in self.nodes[kind, node] if name in arch]
            pairs = ", ".join(f"('{arch[name]}', {name.partition('<-')[2]})" for name in names)
            cells.append(f"{kind}=[{pairs}], {kind}_concat=range(2, 6)")
        return f"Genotype({', '.join(cells)})"

    def parse(self, text: str) -> Arch:
        """The architecture of a genotype, its edges in any order; UserError where it is no such."""
        given = genotype(text)
        arch: dict[str, str] = {}
        for kind in KINDS:
            pairs = given[kind]
            if len(pairs) != KEPT * len(NODES):
                raise UserError(f"{kind}: has {len(pairs)} edges; give {KEPT} for each of {len(NODES)} nodes, in order")
            for number, (op, source) in enumerate(pairs):
                arch |= self._edge(kind, NODES[number // KEPT], op, source, arch)
        return arch

    def _edge(self, kind: str, node: int, op: object, source: object, arch: Arch) -> Arch:
        where = f"{kind}, node {node}"
        if op not in self.candidates or op == "none":
            raise unknown(f"{where}: operation", str(op), [each for each in self.candidates if each != "none"])
        name = f"{kind}/{node}<-{source}"
        if name not in self.nodes[kind, node]:
            raise UserError(f"{where}: takes from {shown(source)}; give a number from 0 to {node - 1}")
        if name in arch:
            raise UserError(f"{where}: takes from {source} twice; give two different ones")
        return {name: str(op)}

    def draw(self, arch: Arch) -> str:
        """Each cell node by node, with the edges that lead into it."""
        lines = []
        for kind in KINDS:
            lines.append(kind)
            for node in NODES:
                edges = [(arch[name], name.partition("<-")[2]) for name in self.nodes[kind, node] if name in arch]
                lines.append(f"  {node} ◀─ " + ", ".join(f"{op} of {source}" for op, source in edges))
        return "\n".join(lines)


def reductions(size: DartsSpaceSettings) -> tuple[int, int]:
    """The numbers of the reduction cells."""
    return size.cells // 3, 2 * size.cells // 3


def genotype(text: str) -> dict[str, list[tuple[object, object]]]:
    """The pairs of each cell of a genotype as it is printed, nothing of which is run. UserError where it is none."""
    wrong = UserError(f"architecture {shown(text)}: is no genotype, as in {FORM}")
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not set(KINDS) <= {each.arg for each in call.keywords}:
            raise wrong
        cells = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg in KINDS}
        found = {str(kind): [(op, source) for op, source in pairs] for kind, pairs in cells.items()}
        concats = {each.arg: ast.unparse(each.value) for each in call.keywords if each.arg in CONCATS}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:  # the last two: nested deeply
        raise wrong from error
    for kind, nodes in concats.items():
        if nodes.replace(" ", "") not in ALL_NODES:
            raise UserError(f"{kind}={brief(nodes)}: cells give all of their nodes, range(2, 6)")
    return found


FORM = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], reduce_concat=range(2, 6))"
CONCATS = tuple(f"{kind}_concat" for kind in KINDS)
ALL_NODES = ("range(2,6)", "[2,3,4,5]", "(2,3,4,5)")
